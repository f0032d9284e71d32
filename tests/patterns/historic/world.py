"""A source table whose stream is at hand: writes become records, which a test delivers as well or badly as it likes."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from patterns.historic import Archive, History, ItemKeys, Recorder, Retention, SignedAttributes
from tests.faults import FaultyClient
from tests.patterns.stores import Index, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from patterns.historic import Attribution, BatchReport, Version

Image = dict[str, Any]
Record = dict[str, Any]

KEYS = ItemKeys("accounts", "owner", "account")
SIGNATURE = SignedAttributes()
START_MS = 1_760_000_000_000
HOT_DAYS = 30
DAY_MS = 86_400_000
TIERS = ("table", "hot", "expiring", "expired")
Tier: TypeAlias = Literal["table", "hot", "expiring", "expired"]
"""No archive; an archive, and nothing has expired; everything has, and half of it is deleted; all of it is deleted."""

ACTORS = Index("by-actor", "actor", range_key="at_ms", range_key_type="N")


_buckets: Iterator[int] = count(1)


def unused_bucket_name() -> str:
    return f"archive-{next(_buckets)}"


@dataclass(frozen=True, slots=True)
class TieredStore(Store):
    """A store with an archive, and how far its versions have expired when a question is asked."""

    archive: Archive
    tier: Tier


def account(owner: str = "ann", name: str = "gold") -> Image:
    return {"owner": {"S": owner}, "account": {"S": name}}


def create_history(store: Store) -> str:
    return store.create_table("collection", "version_key", indexes=[ACTORS])


def stored(store: Store, table: str) -> list[Image]:
    items = store.client.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted((dict(item) for item in items), key=lambda item: (item["collection"]["S"], item["version_key"]["S"]))


def as_json(value: Any) -> Any:
    """As in a Lambda event."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_json(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [as_json(member) for member in value]  # pyright: ignore[reportUnknownVariableType]
    return value


@dataclass
class Source:
    """The table's items, and the records of its stream. Every write takes a second."""

    keys: ItemKeys = KEYS
    label: str = "2026-10-09T00:00:00.000"
    items: dict[str, Image] = field(default_factory=dict[str, Image])
    records: list[Record] = field(default_factory=list[Record])

    @property
    def now_ms(self) -> int:
        return START_MS + 1000 * len(self.records)

    def put(self, key: Mapping[str, Any], *, by: str | None = None, why: str = "test", **attributes: Any) -> Image:
        image = {**key, **attributes}
        if by is not None:
            image |= SIGNATURE.sign(by, why, f"change-{len(self.records)}", self.now_ms)
        before = self.items.get(str(key))
        self.items[str(key)] = image
        self._record("MODIFY" if before else "INSERT", key, before, image)
        return image

    def delete(self, key: Mapping[str, Any], identity: Mapping[str, str] | None = None) -> None:
        self._record("REMOVE", key, self.items.pop(str(key)), None)
        if identity:
            self.records[-1]["userIdentity"] = dict(identity)

    def _record(self, name: str, key: Mapping[str, Any], before: Image | None, after: Image | None) -> None:
        images = {"OldImage": before, "NewImage": after}
        self.records.append(
            {
                "eventName": name,
                "eventSourceARN": f"arn:aws:dynamodb:us-east-1:1:table/accounts/stream/{self.label}",
                "dynamodb": {
                    "ApproximateCreationDateTime": self.now_ms / 1000,
                    "Keys": as_json(dict(key)),
                    **{side: as_json(image) for side, image in images.items() if image is not None},
                    "SequenceNumber": str(99_999_990 + 7 * len(self.records)),
                },
            }
        )


class BothClients:
    """DynamoDB and S3 as one client: they share no operation."""

    def __init__(self, dynamodb: Any, s3: Any) -> None:
        self._dynamodb, self._s3 = dynamodb, s3

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3 if "object" in name else self._dynamodb, name)


@dataclass
class World:
    """A source, its history, and a recorder that has just been started."""

    store: Store
    source: Source = field(default_factory=Source)
    table: str = ""
    attribution: Attribution = SIGNATURE
    now_ms: int = START_MS
    hot_days: int = HOT_DAYS

    def __post_init__(self) -> None:
        self.table = self.table or create_history(self.store)

    @property
    def archive(self) -> Archive | None:
        return self.store.archive if isinstance(self.store, TieredStore) else None

    @property
    def history(self) -> History:
        return History(self.store.client, self.table, self.source.keys, self.archive, lambda: self.now_ms)

    def recorder(self, plan: Mapping[int, str | Callable[[], object]] | None = None) -> Recorder:
        """A recorder whose calls to both tiers are numbered together."""
        archive = self.archive
        client: Any = FaultyClient(BothClients(self.store.client, archive and archive.client), plan)  # pyright: ignore[reportArgumentType]
        retention = None if archive is None else Retention(Archive(client, archive.bucket), self.hot_days)
        return Recorder(
            client, self.table, self.source.keys, self.attribution, retention=retention, clock=lambda: self.now_ms
        )

    def deliver(self, *records: Record) -> BatchReport:
        report = self.recorder().record(records or self.source.records)
        assert not report.errors, report.errors
        if isinstance(self.store, TieredStore) and self.store.tier in ("expiring", "expired"):
            self.expire(share=1.0 if self.store.tier == "expired" else 0.5)
        return report

    def expire(self, share: float = 1.0, days: int = 10 * HOT_DAYS) -> None:
        """Let time pass, and delete as DynamoDB does: in any order, and only some of what has expired."""
        self.now_ms += days * DAY_MS
        random = Random(self.now_ms)
        for item in stored(self.store, self.table):
            if (
                "expires_at_s" in item
                and int(item["expires_at_s"]["N"]) * 1000 < self.now_ms
                and random.random() < share
            ):
                place = {name: item[name] for name in ("collection", "version_key")}
                self.store.client.delete_item(TableName=self.table, Key=place)

    def versions(self, key: Mapping[str, Any]) -> tuple[Version, ...]:
        return self.history.versions(key, limit=1000).versions

"""From the source table's stream to versions: each write once, in order, however often and late its record arrives.

A version's identity is its place in the stream. Per item the recorder knows the head of the history: a record behind it
was recorded already, or was lost once and is recovered at its place; a record after it becomes the next number, written
under the condition that nobody took the number. Two recorders at work on one item (a zombie, a duplicate delivery)
therefore cannot record a write twice: the second one fails, reads the head again and finds its record behind it.

With an archive a version is put there first, under the same condition: the archive decides who has the number, and the
table only ever holds what the archive has. Whoever finds the number taken puts that version into the table, should its
recorder have died before it could.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from patterns.historic.attribution import Change
from patterns.historic.errors import HistoryError, MissingVersionError, UnreadableRecordError
from patterns.historic.images import LARGEST_IMAGE, Image, digest, estimated_size, from_stream
from patterns.historic.tiers import Tiers, now_ms, whole_span
from patterns.historic.version import (
    ACTOR,
    AT_MS,
    COLLECTION,
    EXPIRES_AT_S,
    FIRST_HASH,
    VERSION_KEY,
    Version,
    hash_of,
    kept_attribute,
    read_version,
    stream_position,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.historic.archive import Retention
    from patterns.historic.attribution import Attribution, Signature
    from patterns.historic.item_key import ItemKeys

    _Map = Callable[
        [Callable[["Sequence[_Arrival]"], "_Outcome"], Iterable[Sequence["_Arrival"]]], Iterable["_Outcome"]
    ]

_MOST_HEADS = 10_000  # about 5 MB
_MOST_ATTEMPTS = 10
_RECOVERY_PAGE = 25  # versions
_LONGEST_ACTOR = 500  # characters; at most 2000 bytes, and an index key has at most 2048
_LONGEST_REASON = 2_000
_LARGEST_SKEW_MS = 60_000  # between a signed time and the stream's
_TIME_TO_LIVE_PRINCIPAL = "dynamodb.amazonaws.com"


class ContentionError(HistoryError):
    """Others appended to the item's history ten times in a row; the record is delivered again."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch.

    Attributes
    ----------
    recorded
        Versions written.
    repeated
        Records that had been recorded before.
    recovered
        Versions written that reached the history after later ones of their item.
    unlinked
        Versions whose image before is not what the history last saw: a write is missing between. The start of the
        history of an item that is older than the history is not counted.
    failed
        Sequence numbers to deliver again.
    errors
        The first error of each item that could not be recorded for now.
    """

    recorded: int
    repeated: int
    recovered: int
    unlinked: int
    failed: tuple[str, ...]
    errors: tuple[Exception, ...]

    def response(self) -> dict[str, list[dict[str, str]]]:
        """Return the handler's answer, for a subscription with ``ReportBatchItemFailures``."""
        return {"batchItemFailures": [{"itemIdentifier": number} for number in self.failed]}


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A stream record, read."""

    sequence_number: str
    position: str
    at_ms: int
    key: Image
    change: Change


@dataclass(frozen=True, slots=True)
class _Head:
    """What the next version needs to know of the last one."""

    number: int
    position: str
    at_ms: int
    hash: bytes
    digest: bytes
    expires_at_s: int = 0


_NOTHING = _Head(0, "", 0, FIRST_HASH, b"")


@dataclass(slots=True)
class _Outcome:
    recorded: int = 0
    repeated: int = 0
    recovered: int = 0
    unlinked: int = 0
    failed: str = ""
    error: Exception | None = None


class Recorder:
    """Records the changes of one source table.

    Parameters
    ----------
    client
        DynamoDB client. Calls made: PutItem under ``attribute_not_exists``, Query. Nothing is updated or deleted.
    table_name
        The history table: hash key ``collection``, range key ``version_key``, both texts.
    keys
        The source table's keys and its name in the history.
    attribution
        Finds who made a change, and why.
    retention
        How long the table keeps versions, and the archive that has all of them; ``None``: the table keeps them for
        ever.
    clock
        Epoch ms, to tell what may have expired.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        keys: ItemKeys,
        attribution: Attribution,
        *,
        retention: Retention | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._keys = keys
        self._attribution = attribution
        self._retention = retention
        self._clock = clock
        self._tiers = Tiers(client, table_name, None if retention is None else retention.archive, clock)
        # Only a shortcut: a stale head costs a failed condition, never a wrong version.
        self._heads: dict[tuple[str, str], _Head] = {}

    def record(self, records: Iterable[Mapping[str, Any]], map_items: _Map = map) -> BatchReport:
        """Record a batch.

        After the first failure of an item its later records wait, so that its versions stay in order; other items go
        on. Lambda delivers again from the lowest failed record, and what was recorded already is recognised.

        Parameters
        ----------
        records
            ``Records`` of a Lambda event of a DynamoDB stream with new and old images, in order.
        map_items
            Runs the work on the items, one call an item, such as a thread pool's ``map``.

        Raises
        ------
        UnreadableRecordError
            Something else than such a record, e.g. of a stream without images.
        InvalidItemKeyError
            A record of a table with other keys.
        """
        groups: dict[tuple[str, str], list[_Arrival]] = {}
        for record in records:
            arrival = _read_record(record)
            place = self._keys.collection(arrival.key), self._keys.item(arrival.key)
            groups.setdefault(place, []).append(arrival)
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
        outcomes = list(map_items(self._record_item, groups.values()))
        return BatchReport(
            recorded=sum(outcome.recorded for outcome in outcomes),
            repeated=sum(outcome.repeated for outcome in outcomes),
            recovered=sum(outcome.recovered for outcome in outcomes),
            unlinked=sum(outcome.unlinked for outcome in outcomes),
            failed=tuple(outcome.failed for outcome in outcomes if outcome.failed),
            errors=tuple(outcome.error for outcome in outcomes if outcome.error is not None),
        )

    def _record_item(self, arrivals: Sequence[_Arrival]) -> _Outcome:
        outcome = _Outcome()
        for arrival in arrivals:
            try:
                self._record_one(arrival, outcome)
            except (ClientError, BotoCoreError, ContentionError, MissingVersionError) as error:
                outcome.failed, outcome.error = arrival.sequence_number, error
                break
        return outcome

    def _record_one(self, arrival: _Arrival, outcome: _Outcome) -> None:
        place = collection, item = self._keys.collection(arrival.key), self._keys.item(arrival.key)
        head = self._heads.get(place)
        if head is None:
            head = self._first_guess(arrival, collection, item)
        for _ in range(_MOST_ATTEMPTS):
            if arrival.position <= head.position:
                self._repeat_or_recover(arrival, collection, item, head, outcome)
                return
            linked = digest(arrival.change.before) == head.digest
            appended = self._append(self._version(arrival, collection, item, head, linked=linked), head)
            if appended is not None:
                head = self._heads[place] = appended
                outcome.recorded += 1
                outcome.unlinked += not linked and head.number > 1
                return
            self._heads.pop(place, None)
            head = self._read_head(collection, item)
        raise ContentionError(f"{collection} {item}: {_MOST_ATTEMPTS} version numbers in a row were taken by others")

    def _repeat_or_recover(self, arrival: _Arrival, collection: str, item: str, head: _Head, outcome: _Outcome) -> None:
        if arrival.position == head.position:
            outcome.repeated += 1
            return
        anchor = _NOTHING
        span = whole_span(item)
        for version in self._tiers.versions(collection, *span, forward=False, page=_RECOVERY_PAGE, consistent=True):
            if version.position == arrival.position:
                outcome.repeated += 1
                return
            if version.position < arrival.position and not version.recovered:
                anchor = _head(version)
                break
        stored = self._version(arrival, collection, item, anchor, linked=False, recovered=arrival.position)
        # It never expires: without a number of its own, nothing in the table would show that it is gone.
        if self._retention is not None:
            self._retention.archive.put(stored)
        outcome.recovered += self._put(stored)

    def _version(
        self, arrival: _Arrival, collection: str, item: str, head: _Head, *, linked: bool, recovered: str = ""
    ) -> Image:
        change = arrival.change
        signature = self._attribution(change)
        signed_ms = arrival.at_ms if signature.at_ms is None else signature.at_ms
        # A clock that runs ahead must not carry all later versions with it into the future, and one that runs back must
        # not make an item's times go back: as-of searches in them.
        is_plausible = abs(signed_ms - arrival.at_ms) <= _LARGEST_SKEW_MS
        at_ms = max(head.at_ms, signed_ms if is_plausible else arrival.at_ms)
        number = head.number if recovered else head.number + 1
        omit_after = estimated_size(change.after) > LARGEST_IMAGE
        room = LARGEST_IMAGE - (0 if omit_after else estimated_size(change.after))
        stored: Image = {
            COLLECTION: {"S": collection},
            VERSION_KEY: {"S": version_key(item, number, recovered)},
            "source": {"S": self._keys.source},
            "key": {"M": arrival.key},
            "operation": {"S": change.operation},
            AT_MS: {"N": str(at_ms)},
            "position": {"S": arrival.position},
            **_signed(signature),
        }
        if head.hash:
            stored["previous"] = {"B": head.hash}
        if change.after is not None:
            stored["after"] = kept_attribute(change.after, omit=omit_after)
        if not linked:
            stored["before"] = kept_attribute(change.before, omit=estimated_size(change.before) > room)
        stored["hash"] = {"B": hash_of(stored)}
        return stored

    def _append(self, stored: Image, head: _Head) -> _Head | None:
        """Put the next version; ``None`` if its number was another's."""
        if self._retention is None:
            return self._put_next(stored)
        if self._retention.archive.put(stored):
            return self._put_next(self._expiring(stored, head))
        taken = self._retention.archive.read(stored[COLLECTION]["S"], stored[VERSION_KEY]["S"])
        kept = None if taken is None else self._keep(taken, head)
        # Its position tells this write, put by a recorder that got no further, from another one.
        return kept if kept is not None and kept.position == stored["position"]["S"] else None

    def _keep(self, archived: Version, head: _Head) -> _Head | None:
        """Put an archived version into the table, unless it is there or would be gone at once."""
        expiring = self._expiring(archived.stored, head)
        expired = int(expiring[EXPIRES_AT_S]["N"]) * 1000 <= self._clock()
        return None if expired else self._put_next(expiring)

    def _put_next(self, stored: Image) -> _Head | None:
        return _head(read_version(stored)) if self._put(stored) else None

    def _expiring(self, stored: Image, head: _Head) -> Image:
        assert self._retention is not None
        # Never before the version before it, also when the days were made fewer: the last row must be the last to go.
        expires_at_s = max(head.expires_at_s, self._retention.expires_at_s(int(stored[AT_MS]["N"])))
        return {**stored, EXPIRES_AT_S: {"N": str(expires_at_s)}}

    def _put(self, stored: Image) -> bool:
        """Whether the version's place was free."""
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item=stored,
                ConditionExpression="attribute_not_exists(#collection)",
                ExpressionAttributeNames={"#collection": COLLECTION},
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _first_guess(self, arrival: _Arrival, collection: str, item: str) -> _Head:
        """The head, or nothing where that is likely: most inserted items are new, and a condition finds the others."""
        if arrival.change.operation != "INSERT":
            return self._read_head(collection, item)
        # What is put into the archive cannot be taken back: there, guess only what the table does not refute.
        hot = None if self._retention is None else self._hot_head(collection, item)
        return _NOTHING if hot is None else self._read_head(collection, item)

    def _hot_head(self, collection: str, item: str) -> Version | None:
        span = whole_span(item)
        return next(self._tiers.hot(collection, *span, forward=False, page=1, consistent=True), None)

    def _read_head(self, collection: str, item: str) -> _Head:
        hot = self._hot_head(collection, item)
        head = _NOTHING if hot is None else _head(hot)
        if self._retention is None or self._tiers.is_last(hot):
            return head
        archive = self._retention.archive
        number = archive.newest_number(collection, item)
        newest = archive.read(collection, version_key(item, number)) if number > head.number else None
        if newest is None:
            return head
        self._keep(newest, head)
        return _head(newest)


def _head(version: Version) -> _Head:
    expires_at_s = int(version.stored[EXPIRES_AT_S]["N"]) if EXPIRES_AT_S in version.stored else 0
    return _Head(
        version.number, version.position, version.at_ms, version.stored_hash, version.after_kept.digest, expires_at_s
    )


def _signed(signature: Signature) -> Image:
    signed: Image = {}
    if signature.actor:
        signed[ACTOR] = {"S": signature.actor[:_LONGEST_ACTOR]}
    if signature.reason:
        signed["reason"] = {"S": signature.reason[:_LONGEST_REASON]}
    return signed


def _read_record(record: Mapping[str, Any]) -> _Arrival:
    try:
        body, operation = record["dynamodb"], record["eventName"]
        images = [from_stream(body[name]) if name in body else None for name in ("OldImage", "NewImage")]
        before, after = images
        if (operation != "INSERT") != (before is not None) or (operation != "REMOVE") != (after is not None):
            raise UnreadableRecordError(
                f"stream record of {operation} holds {sorted(body)}: the stream must have new and old images"
            )
        identity: Mapping[str, Any] = record.get("userIdentity") or {}
        return _Arrival(
            sequence_number=body["SequenceNumber"],
            position=stream_position(record["eventSourceARN"], body["SequenceNumber"]),
            at_ms=round(body["ApproximateCreationDateTime"] * 1000),
            key=from_stream(body["Keys"]),
            change=Change(operation, before, after, expired=identity.get("principalId") == _TIME_TO_LIVE_PRINCIPAL),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableRecordError(f"not a record of a DynamoDB stream: {error!r:.120}") from error

"""From the source table's stream to versions: each write once, in order, however often and late its record arrives.

A version's identity is its place in the stream. Per item the recorder knows the head of the history: a record behind it
was recorded already, or was lost once and is recovered at its place; a record after it becomes the next number, written
under the condition that nobody took the number. Two recorders at work on one item (a zombie, a duplicate delivery)
therefore cannot record a write twice: the second one fails, reads the head again and finds its record behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from patterns.historic.arrival import Arrival, read_arrival
from patterns.historic.chain_end import NOTHING, ChainEnd, Head, head_of
from patterns.historic.errors import HistoryError, MissingVersionError
from patterns.historic.images import LARGEST_IMAGE, Image, digest, estimated_size
from patterns.historic.tiers import Tiers, now_ms, whole_span
from patterns.historic.version import (
    ACTOR,
    AT_MS,
    COLLECTION,
    VERSION_KEY,
    hash_of,
    kept_attribute,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.historic.archive import Retention
    from patterns.historic.attribution import Attribution, Signature
    from patterns.historic.item_key import ItemKeys

    _Map = Callable[[Callable[["Sequence[Arrival]"], "_Outcome"], Iterable[Sequence["Arrival"]]], Iterable["_Outcome"]]

_MOST_HEADS = 10_000  # about 5 MB
_MOST_ATTEMPTS = 10
_RECOVERY_PAGE = 25  # versions
_LONGEST_ACTOR = 500  # characters; at most 2000 bytes, and an index key has at most 2048
_LONGEST_REASON = 2_000
_LARGEST_SKEW_MS = 60_000  # between a signed time and the stream's


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
        self._keys = keys
        self._attribution = attribution
        self._tiers = Tiers(client, table_name, None if retention is None else retention.archive, clock)
        self._end = ChainEnd(self._tiers, retention)
        # Only a shortcut: a stale head costs a failed condition, never a wrong version.
        self._heads: dict[tuple[str, str], Head] = {}

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
        groups: dict[tuple[str, str], list[Arrival]] = {}
        for record in records:
            arrival = read_arrival(record)
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

    def _record_item(self, arrivals: Sequence[Arrival]) -> _Outcome:
        outcome = _Outcome()
        for arrival in arrivals:
            try:
                self._record_one(arrival, outcome)
            except (ClientError, BotoCoreError, ContentionError, MissingVersionError) as error:
                outcome.failed, outcome.error = arrival.sequence_number, error
                break
        return outcome

    def _record_one(self, arrival: Arrival, outcome: _Outcome) -> None:
        place = collection, item = self._keys.collection(arrival.key), self._keys.item(arrival.key)
        head = self._heads.get(place)
        if head is None:
            head = self._end.first_guess(arrival.change.operation, collection, item)
        for _ in range(_MOST_ATTEMPTS):
            if arrival.position <= head.position:
                self._repeat_or_recover(arrival, collection, item, head, outcome)
                return
            linked = digest(arrival.change.before) == head.digest
            appended = self._end.append(self._version(arrival, collection, item, head, linked=linked), head)
            if appended is not None:
                head = self._heads[place] = appended
                outcome.recorded += 1
                outcome.unlinked += not linked and head.number > 1
                return
            self._heads.pop(place, None)
            head = self._end.read(collection, item)
        raise ContentionError(f"{collection} {item}: {_MOST_ATTEMPTS} version numbers in a row were taken by others")

    def _repeat_or_recover(self, arrival: Arrival, collection: str, item: str, head: Head, outcome: _Outcome) -> None:
        if arrival.position == head.position:
            outcome.repeated += 1
            return
        anchor = NOTHING
        span = whole_span(item)
        for version in self._tiers.versions(collection, *span, forward=False, page=_RECOVERY_PAGE, consistent=True):
            if version.position == arrival.position:
                outcome.repeated += 1
                return
            if version.position < arrival.position and not version.recovered:
                anchor = head_of(version)
                break
        stored = self._version(arrival, collection, item, anchor, linked=False, recovered=arrival.position)
        outcome.recovered += self._end.put_recovered(stored)

    def _version(
        self, arrival: Arrival, collection: str, item: str, head: Head, *, linked: bool, recovered: str = ""
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


def _signed(signature: Signature) -> Image:
    signed: Image = {}
    if signature.actor:
        signed[ACTOR] = {"S": signature.actor[:_LONGEST_ACTOR]}
    if signature.reason:
        signed["reason"] = {"S": signature.reason[:_LONGEST_REASON]}
    return signed

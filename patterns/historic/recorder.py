"""From the source table's stream to versions: each write once, in order, however often and late its record arrives.

A version's identity is its place in the stream. Per item the recorder knows the head of the history: a record behind it
was recorded already, or was lost once and is recovered at its place; a record after it becomes the next number, written
under the condition that nobody took the number. Two recorders at work on one item (a zombie, a duplicate delivery)
therefore cannot record a write twice: the second one fails, reads the head again and finds its record behind it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from patterns.historic.arrival import Arrival, read_arrival
from patterns.historic.bounds import LONGEST_ACTOR
from patterns.historic.chain_end import NOTHING, STORES_TROUBLE, ChainEnd, Head, head_of
from patterns.historic.errors import HistoryError
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
    from collections.abc import Callable, Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.each import Each
    from patterns.historic.archive import Retention
    from patterns.historic.attribution import Attribution, Signature
    from patterns.historic.chain_end import Appended
    from patterns.historic.item_key import ItemKeys

_MOST_HEADS = 10_000  # about 5 MB
_MOST_ATTEMPTS = 10
_RECOVERY_PAGE = 25  # versions
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
class _Share:
    """One item's records of a batch that are still to be recorded, and what became of the others."""

    collection: str
    item: str
    arrivals: deque[Arrival] = field(default_factory=deque["Arrival"])
    attempts: int = 0
    recorded: int = 0
    repeated: int = 0
    recovered: int = 0
    unlinked: int = 0
    failed: str = ""
    error: Exception | None = None

    def next(self) -> None:
        """Be done with the first record."""
        self.arrivals.popleft()
        self.attempts = 0

    def fail(self, error: Exception) -> None:
        """Leave this record and those behind it for another delivery."""
        self.failed, self.error = self.arrivals[0].sequence_number, error
        self.arrivals.clear()


class _Proposal(NamedTuple):
    """An item's next version, and the head it was made for."""

    share: _Share
    stored: Image
    head: Head
    linked: bool


class Recorder:
    """Records the changes of one source table.

    Parameters
    ----------
    client
        DynamoDB client. Calls made: BatchExecuteStatement with INSERT only, Query. Nothing is updated, replaced or
        deleted.
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

    def record(self, records: Iterable[Mapping[str, Any]], each: Each = map) -> BatchReport:
        """Record a batch, 25 items a call.

        After the first failure of an item its later records wait, so that its versions stay in order; other items go
        on. Lambda delivers again from the lowest failed record, and what was recorded already is recognised.

        Parameters
        ----------
        records
            ``Records`` of a Lambda event of a DynamoDB stream with new and old images, in order.
        each
            Makes the calls, such as a thread pool's ``map``.

        Raises
        ------
        UnreadableRecordError
            Something else than such a record, e.g. of a stream without images.
        InvalidItemKeyError
            A record of a table with other keys.
        """
        shares: dict[tuple[str, str], _Share] = {}
        for record in records:
            arrival = read_arrival(record)
            place = self._keys.collection(arrival.key), self._keys.item(arrival.key)
            shares.setdefault(place, _Share(*place)).arrivals.append(arrival)
        if len(self._heads) > _MOST_HEADS:
            self._heads.clear()
        outcomes = list(shares.values())
        while left := [share for share in outcomes if share.arrivals]:
            # One version of each item at a time: each has its predecessor's hash.
            proposals = [proposal for proposal in each(self._propose, left) if proposal is not None]
            ends = self._end.append([(proposal.stored, proposal.head) for proposal in proposals], each)
            for proposal, end in zip(proposals, ends, strict=True):
                self._conclude(proposal, end)
        return BatchReport(
            recorded=sum(outcome.recorded for outcome in outcomes),
            repeated=sum(outcome.repeated for outcome in outcomes),
            recovered=sum(outcome.recovered for outcome in outcomes),
            unlinked=sum(outcome.unlinked for outcome in outcomes),
            failed=tuple(outcome.failed for outcome in outcomes if outcome.failed),
            errors=tuple(outcome.error for outcome in outcomes if outcome.error is not None),
        )

    def _propose(self, share: _Share) -> _Proposal | None:
        """Make the version of an item's first record that has none; None if all have, or the item has failed."""
        try:
            while share.arrivals:
                arrival, head = share.arrivals[0], self._head(share)
                if arrival.position > head.position:
                    linked = digest(arrival.change.before) == head.digest
                    return _Proposal(share, self._version(arrival, share, head, linked=linked), head, linked)
                self._repeat_or_recover(arrival, share, head)
                share.next()
        except STORES_TROUBLE as error:
            share.fail(error)
        return None

    def _head(self, share: _Share) -> Head:
        place = share.collection, share.item
        head = self._heads.get(place)
        if head is None:
            if share.attempts:
                head = self._end.read(*place)
            else:
                head = self._end.first_guess(share.arrivals[0].change.operation, *place)
            self._heads[place] = head
        return head

    def _conclude(self, proposal: _Proposal, end: Appended) -> None:
        share, place = proposal.share, (proposal.share.collection, proposal.share.item)
        if isinstance(end, Exception):
            share.fail(end)
        elif end is None:
            self._heads.pop(place, None)
            share.attempts += 1
            if share.attempts == _MOST_ATTEMPTS:
                taken = f"{_MOST_ATTEMPTS} version numbers in a row were taken by others"
                share.fail(ContentionError(f"{share.collection} {share.item}: {taken}"))
        else:
            self._heads[place] = end
            share.recorded += 1
            share.unlinked += not proposal.linked and proposal.head.number > 0
            share.next()

    def _repeat_or_recover(self, arrival: Arrival, share: _Share, head: Head) -> None:
        if arrival.position == head.position:
            share.repeated += 1
            return
        anchor, earliest_ms, latest_ms = NOTHING, 0, None
        span = whole_span(share.item)
        for version in self._tiers.versions(
            share.collection, *span, forward=False, page=_RECOVERY_PAGE, consistent=True
        ):
            if version.position == arrival.position:
                share.repeated += 1
                return
            if version.position > arrival.position:
                latest_ms = version.at_ms
                continue
            earliest_ms = max(earliest_ms, version.at_ms)
            if not version.recovered:
                anchor = head_of(version)
                break
        between_ms = (earliest_ms, latest_ms)
        stored = self._version(arrival, share, anchor, linked=False, recovered=arrival.position, between_ms=between_ms)
        share.recovered += self._end.put_recovered(stored)

    def _version(
        self,
        arrival: Arrival,
        share: _Share,
        head: Head,
        *,
        linked: bool,
        recovered: str = "",
        between_ms: tuple[int, int | None] = (0, None),
    ) -> Image:
        change = arrival.change
        signature = self._attribution(change)
        signed_ms = arrival.at_ms if signature.at_ms is None else signature.at_ms
        # A clock that runs ahead must not carry all later versions with it into the future, and one that runs back must
        # not make an item's times go back: as-of searches in them.
        is_plausible = abs(signed_ms - arrival.at_ms) <= _LARGEST_SKEW_MS
        earliest_ms, latest_ms = between_ms
        at_ms = max(head.at_ms, earliest_ms, signed_ms if is_plausible else arrival.at_ms)
        if latest_ms is not None:
            at_ms = min(at_ms, latest_ms)
        number = head.number if recovered else head.number + 1
        omit_after = estimated_size(change.after) > LARGEST_IMAGE
        room = LARGEST_IMAGE - (0 if omit_after else estimated_size(change.after))
        stored: Image = {
            COLLECTION: {"S": share.collection},
            VERSION_KEY: {"S": version_key(share.item, number, recovered)},
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
        signed[ACTOR] = {"S": signature.actor[:LONGEST_ACTOR]}
    if signature.reason:
        signed["reason"] = {"S": signature.reason[:_LONGEST_REASON]}
    return signed

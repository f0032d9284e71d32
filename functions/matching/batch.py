"""A whole batch of stream records: sorted by material, each material worked on, the unprocessable parked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.matching.images import UnprocessableRecordError
from functions.matching.records import NewAsk, NewOrder, Requests, read_record
from functions.matching.second_copies import handled_already

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from functions.matching.matcher import Matcher
    from functions.matching.material_work import MaterialOutcome
    from functions.matching.parking import Park
    from functions.matching.records import Arrival
    from patterns.each import Each


@dataclass(slots=True)
class BatchReport:
    """What became of a batch. `failed` holds the sequence numbers to deliver again, `errors` why, by material.

    `second_copies` counts records known to be handled or in the batch already, `duplicates` orders that turned out to
    be;
    `trace_ids` maps those of the records that were not known to their materials.
    """

    received_at_ms: int
    finished_at_ms: int = 0
    records: int = 0
    orders: int = 0
    requests: int = 0
    materials: int = 0
    commits: int = 0
    fills: int = 0
    duplicates: int = 0
    second_copies: int = 0
    retries: int = 0
    parked: int = 0
    to_stream_ms: list[int] = field(default_factory=list[int])
    to_matcher_ms: list[int] = field(default_factory=list[int])
    to_commit_ms: list[int] = field(default_factory=list[int])
    publishing_ms: list[int] = field(default_factory=list[int])
    trace_ids: dict[str, str] = field(default_factory=dict[str, str])
    failed: list[str] = field(default_factory=list[str])
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])

    def figures(self) -> dict[str, int]:
        """Return the batch's numbers for its log line: counts, and each hop's mean and longest time in ms."""
        counted = {
            "records": self.records,
            "orders": self.orders,
            "requests": self.requests,
            "materials": self.materials,
            "commits": self.commits,
            "fills": self.fills,
            "duplicates": self.duplicates,
            "second_copies": self.second_copies,
            "retries": self.retries,
            "parked": self.parked,
            "failed_materials": len(self.errors),
            "matching_ms": self.finished_at_ms - self.received_at_ms,
        }
        hops = {
            "to_stream_ms": self.to_stream_ms,
            "to_matcher_ms": self.to_matcher_ms,
            "to_commit_ms": self.to_commit_ms,
            "publishing_ms": self.publishing_ms,
        }
        for name, times in hops.items():
            if times:
                counted |= {f"{name}_mean": sum(times) // len(times), f"{name}_longest": max(times)}
        return counted


@dataclass(slots=True)
class _Share:
    """One material's records, in order of arrival: those that are more than a reason to look, with their meaning."""

    material: str
    first_sequence_number: str
    records: list[Mapping[str, Any]] = field(default_factory=list["Mapping[str, Any]"])
    entries: list[NewOrder | Requests] = field(default_factory=list["NewOrder | Requests"])
    new_asks: list[NewAsk] = field(default_factory=list["NewAsk"])


def work_batch(records: Sequence[Mapping[str, Any]], matcher: Matcher, park: Park, each: Each = map) -> BatchReport:
    """Work through the records of one Lambda event.

    Parameters
    ----------
    records
        ``event["Records"]`` of a Kinesis event source, in order.
    matcher
        Works on one material at a time.
    park
        Takes records that can never be processed; if it fails, the record is handed back.
    each
        Works through the materials.

    Returns
    -------
    BatchReport
        A material that fails hands back its lowest sequence number and holds up no other material.
    """
    report = BatchReport(received_at_ms=matcher.clock(), records=len(records))
    arrivals: list[tuple[Mapping[str, Any], Arrival]] = []
    for record in records:
        try:
            arrivals.append((record, read_record(record["kinesis"])))
        except UnprocessableRecordError as unprocessable:
            _park(record, str(unprocessable), park, report)
    handled = handled_already([arrival for _, arrival in arrivals], matcher)
    shares: dict[str, _Share] = {}
    for record, arrival in arrivals:
        handled_id = arrival.handled_id or ""
        is_done = handled.get(handled_id)
        report.second_copies += is_done is not None
        if is_done:
            continue
        material = arrival.order.material if isinstance(arrival, NewOrder) else arrival.material
        share = shares.setdefault(material, _Share(material, record["kinesis"]["sequenceNumber"]))
        if is_done is None:
            _add(share, record, arrival, report)
        if handled_id:
            handled[handled_id] = True  # a further copy in this batch is one too many
    report.materials = len(shares)

    def work(share: _Share) -> MaterialOutcome | Exception:
        try:
            return matcher.work(share.material, share.entries, share.new_asks, report.received_at_ms)
        except Exception as error:  # whatever it is, it is this material's alone
            return error

    for share, outcome in zip(shares.values(), each(work, shares.values()), strict=True):
        if isinstance(outcome, Exception):
            report.failed.append(share.first_sequence_number)
            report.errors[share.material] = outcome
            continue
        _count(outcome, report)
        matcher.memory.remember(outcome.handled)
        for position, reason in outcome.refused.items():
            _park(share.records[position], reason, park, report)
    report.finished_at_ms = matcher.clock()
    return report


def _add(share: _Share, record: Mapping[str, Any], arrival: Arrival, report: BatchReport) -> None:
    if isinstance(arrival, Requests):
        report.requests += 1
    else:
        order = arrival.order if isinstance(arrival, NewOrder) else arrival
        sequenced_at_ms = order.sequenced_at_ms or report.received_at_ms
        report.to_stream_ms.append(max(sequenced_at_ms - order.placed_at_ms, 0))
        report.to_matcher_ms.append(max(report.received_at_ms - sequenced_at_ms, 0))
        report.orders += isinstance(arrival, NewOrder)
    if arrival.trace.trace_id is not None:
        report.trace_ids[arrival.trace.trace_id] = share.material
    if isinstance(arrival, NewAsk):
        share.new_asks.append(arrival)
    else:
        share.entries.append(arrival)
        share.records.append(record)


def _count(outcome: MaterialOutcome, report: BatchReport) -> None:
    report.commits += outcome.commits
    report.fills += outcome.fills
    report.duplicates += outcome.duplicates
    report.retries += outcome.retries
    report.to_commit_ms += [max(committed_at_ms - report.received_at_ms, 0) for committed_at_ms in outcome.committed_ms]
    if outcome.publishing_ms is not None:
        report.publishing_ms.append(outcome.publishing_ms)


def _park(record: Mapping[str, Any], reason: str, park: Park, report: BatchReport) -> None:
    try:
        park(record, reason)
    except Exception as error:  # the queue's trouble is not the other records'
        report.failed.append(record["kinesis"]["sequenceNumber"])
        report.errors["parking"] = error
    else:
        report.parked += 1

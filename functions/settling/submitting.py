"""From the tape's change stream to settlements: each commit is submitted once, under an id that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from functions.settling.settlement import Settlement, settlement_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from patterns.processor.store import TransactionStore

    Record = Mapping[str, Any]


class Spread(Protocol):
    """Calls a function for each of some records: ``map``, or that of a thread pool."""

    def __call__(
        self, function: Callable[[Record], bool | Exception], records: Iterable[Record], /
    ) -> Iterable[bool | Exception]:
        """Return the results in order."""
        ...


@dataclass(slots=True)
class BatchReport:
    """What became of a batch: commits submitted, commits that had been, and what went wrong, by stream position."""

    submitted: int = 0
    repeated: int = 0
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])


def submit_batch(
    records: Sequence[Record], settlements: TransactionStore[Settlement], spread: Spread = map
) -> BatchReport:
    """Submit the commits of a batch of stream records, in any order: settlements of one material commute.

    Parameters
    ----------
    records
        DynamoDB stream records of the tape.
    settlements
        Where to.
    spread
        Submits side by side.
    """

    def submit(record: Record) -> bool | Exception:
        try:
            key = record["dynamodb"]["Keys"]
            material, sequence = key["material"]["S"], int(key["sequence"]["N"])
            return settlements.submit(settlement_id(material, sequence), Settlement(material, sequence)).created
        except Exception as error:  # whatever it is, it is this commit's alone
            return error

    report = BatchReport()
    for record, outcome in zip(records, spread(submit, records), strict=True):
        if isinstance(outcome, Exception):
            report.errors[record["dynamodb"]["SequenceNumber"]] = outcome
        else:
            report.submitted += outcome
            report.repeated += not outcome
    return report

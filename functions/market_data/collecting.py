"""From the tape's change stream to the minutes: each commit that traded is one record of its minute."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from functions.market_data.candle_items import candle_attributes
from market.candles import candle_of
from market.tape import decode_commit
from patterns.dynamodb.items import decode_item
from patterns.historic.images import from_stream
from patterns.periodic_aggregator.bucket import NewRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from market.tape import TapeCommit
    from patterns.periodic_aggregator.periodic import PeriodicAggregator

    Record = Mapping[str, Any]
    Tell = Callable[[str, Sequence[TapeCommit]], None]


@dataclass(slots=True)
class BatchReport:
    """What became of a batch.

    Attributes
    ----------
    placed
        Number of commits by what became of their record.
    errors
        What went wrong, by stream position.
    """

    placed: dict[str, int] = field(default_factory=dict[str, int])
    errors: dict[str, Exception] = field(default_factory=dict[str, Exception])


def collect_batch(records: Sequence[Record], minutes: PeriodicAggregator, tell: Tell | None = None) -> BatchReport:
    """Add the commits of a batch of stream records to their minutes, each once however often it comes.

    Parameters
    ----------
    records
        DynamoDB stream records of the tape.
    minutes
        One bucket a minute and material.
    tell
        Gets each material's commits when they are in; None: nobody is told.

    Returns
    -------
    BatchReport
        With a material that fails, all its commits of the batch fail; the others are in.
    """
    report = BatchReport()
    of_material: dict[str, list[tuple[str, NewRecord]]] = {}
    commits: dict[str, list[TapeCommit]] = {}
    for record in records:
        place = record["dynamodb"]["SequenceNumber"]
        try:
            commit = decode_commit(decode_item(from_stream(record["dynamodb"]["NewImage"])))
        except Exception as error:  # whatever it is, it is this commit's alone
            report.errors[place] = error
            continue
        commits.setdefault(commit.material, []).append(commit)
        candle = candle_of(commit)
        if candle is not None:
            new = NewRecord(str(commit.sequence), candle_attributes(candle), commit.committed_at_ms)
            of_material.setdefault(commit.material, []).append((place, new))
    for material, found in of_material.items():
        try:
            collected = minutes.add_all(material, [new for _, new in found])
        except Exception as error:  # whatever it is, it is this material's alone
            report.errors.update((place, error) for place, _ in found)
            continue
        for one in collected:
            report.placed[one.placed] = report.placed.get(one.placed, 0) + 1
    if tell is not None:
        for material, found in commits.items():
            tell(material, found)
    return report

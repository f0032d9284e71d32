"""Data access of candles: closed ones from their table, those of the last minutes from what is collected so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from functions.api.contention import with_retries
from functions.market_data.candle_items import RANGE_KEY, read_candle, series_of
from market.candles import Interval, cover, merged
from patterns.dynamodb.items import decode_item, encode_item, read_int

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.candles import Candle, Span
    from patterns.periodic_aggregator.periodic import PeriodicAggregator

RECENT_MINUTES: Final = 3
"""Minutes that may not be closed yet: the one that runs, and those before it that wait for the schedule."""

_NEWEST = 10**15
"""A window start after all others."""


class TimedCandle(NamedTuple):
    """A candle and where its window begins, epoch ms; `closed` if only a very late commit can still change it."""

    start_ms: int
    candle: Candle
    closed: bool


class CandleStore:
    """Candles of all materials.

    The table is read with eventual consistency: a window enters it once and is corrected hardly ever.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    candles_table
        Name of the table.
    minutes
        The buckets of commits that become candles.
    """

    def __init__(self, client: DynamoDBClient, candles_table: str, minutes: PeriodicAggregator) -> None:
        self._client = client
        self._table = candles_table
        self._minutes = minutes

    def newest(
        self, material: str, interval: Interval, *, now_ms: int, from_ms: int, before_ms: int | None, limit: int
    ) -> tuple[list[TimedCandle], bool]:
        """Return candles newest first, and whether older ones follow. A window without trades has no candle.

        Parameters
        ----------
        material, interval
            Which series.
        now_ms
            The time, epoch ms.
        from_ms, before_ms
            Only windows that begin at or after the one and before the other, epoch ms; None goes up to the present.
        limit
            Most candles, 1 or more.
        """
        before_ms = _NEWEST if before_ms is None else before_ms
        running_ms = interval.start_of(_recent_start(now_ms))
        found: list[TimedCandle] = []
        if before_ms > running_ms and from_ms <= now_ms:
            running = self._running(material, interval, running_ms, now_ms)
            found += [one for one in reversed(running) if from_ms <= one.start_ms < before_ms]
        if len(found) <= limit:  # one more tells whether there is a next page
            last_ms = min(before_ms, running_ms) - 1
            found += self._closed(material, interval, from_ms, last_ms, limit + 1 - len(found))
        return found[:limit], len(found) > limit

    def sum_of(self, material: str, start_ms: int, now_ms: int) -> Candle | None:
        """Return one candle of everything traded since the beginning of a minute; None if nothing was.

        For a day: five queries of the table, of 23 items at most, one for the recent minutes, and one for each of these
        that is not closed.
        """
        recent_ms = _recent_start(now_ms)
        recent = self._recent(material, recent_ms, now_ms)
        older = self._covered(material, start_ms, min(recent_ms, Interval.MINUTE.start_of(now_ms)))
        return merged([*older, *(candle for minute_ms, candle in recent.items() if minute_ms >= start_ms)])

    def last_minor(self, material: str) -> int | None:
        """Return the price of the last trade of all closed minutes, None if there is none."""
        # Two days: around midnight, a commit may bear an earlier time than the one before it on the tape.
        days = merged(one.candle for one in self._closed(material, Interval.DAY, 0, _NEWEST, 2))
        return days.close_minor if days else None

    def _running(self, material: str, interval: Interval, first_ms: int, now_ms: int) -> list[TimedCandle]:
        """Sum up the windows that reach into the recent minutes, oldest first."""
        recent_ms = _recent_start(now_ms)
        recent = self._recent(material, recent_ms, now_ms)
        running: list[TimedCandle] = []
        for start_ms in range(first_ms, now_ms + 1, interval.width_ms):
            end_ms = start_ms + interval.width_ms
            parts = self._covered(material, start_ms, min(end_ms, recent_ms))
            parts += [candle for minute_ms, candle in recent.items() if start_ms <= minute_ms < end_ms]
            candle = merged(parts)
            if candle is not None:
                running.append(TimedCandle(start_ms, candle, closed=False))
        return running

    def _recent(self, material: str, recent_ms: int, now_ms: int) -> dict[int, Candle]:
        """Return the recent minutes that traded: from the table, or if they are not there from their records."""
        width_ms = Interval.MINUTE.width_ms
        closed = self._closed(material, Interval.MINUTE, recent_ms, _NEWEST, RECENT_MINUTES)
        recent = {one.start_ms: one.candle for one in closed}
        for start_ms in range(recent_ms, now_ms + 1, width_ms):
            if start_ms not in recent:
                candle = with_retries(lambda start_ms=start_ms: self._collected(material, start_ms))
                if candle is not None:
                    recent[start_ms] = candle
        return recent

    def _collected(self, material: str, start_ms: int) -> Candle | None:
        return merged(read_candle(stored.record) for stored in self._minutes.records(material, start_ms))

    def _covered(self, material: str, start_ms: int, end_ms: int) -> list[Candle]:
        return [candle for span in cover(start_ms, end_ms) for candle in self._span(material, span)]

    def _span(self, material: str, span: Span) -> list[Candle]:
        windows = (span.end_ms - span.start_ms) // span.interval.width_ms
        return [one.candle for one in self._closed(material, span.interval, span.start_ms, span.end_ms - 1, windows)]

    def _closed(self, material: str, interval: Interval, first_ms: int, last_ms: int, limit: int) -> list[TimedCandle]:
        """Return the stored candles of windows that begin within a stretch, newest first."""
        if first_ms > last_ms:
            return []
        answer = with_retries(
            lambda: self._client.query(
                TableName=self._table,
                KeyConditionExpression="series = :series AND start_ms BETWEEN :first AND :last",
                ExpressionAttributeValues=encode_item(
                    {":series": series_of(material, interval), ":first": first_ms, ":last": last_ms}
                ),
                ScanIndexForward=False,
                Limit=limit,
            )
        )
        items = map(decode_item, answer["Items"])
        return [TimedCandle(read_int(item, RANGE_KEY), read_candle(item), closed=True) for item in items]


def _recent_start(now_ms: int) -> int:
    return Interval.MINUTE.start_of(now_ms) - (RECENT_MINUTES - 1) * Interval.MINUTE.width_ms

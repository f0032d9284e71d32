"""Closing a minute: its candle, and the candles of the five minutes, the hour and the day it belongs to.

The coarser ones are summed up anew from the next finer ones, so it does not matter in which order minutes close, nor
how often one is closed again because a commit came late. All four are written in the transaction that closes the
minute. Two runs may close two minutes of one day at a time: the day's version, which every such transaction raises,
lets only one of them through; the other one looks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from functions.market_data.candle_items import RANGE_KEY, VERSION, candle_attributes, candle_key, read_candle, series_of
from market.candles import Interval, merged
from patterns.dynamodb.items import decode_item, encode_item, read_int
from patterns.periodic_aggregator.closing import Outcome
from patterns.periodic_aggregator.errors import BucketsFailedError, OutcomeRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from market.candles import Candle
    from patterns.periodic_aggregator.closing import ClosedBucket, ClosingReport
    from patterns.periodic_aggregator.periodic import PeriodicAggregator

_ROUNDS = 3
"""Times a run looks again at minutes that another run outpaced."""


class CandleWriter:
    """Turns closed minutes into candles.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    candles_table
        Name of the table.
    """

    def __init__(self, client: DynamoDBClient, candles_table: str) -> None:
        self._client = client
        self._table = candles_table

    def close_due(
        self, minutes: PeriodicAggregator, *, owner: str, remaining_ms: Callable[[], int] | None = None
    ) -> ClosingReport:
        """Close all minutes whose time has come; see `PeriodicAggregator.close_due`.

        Raises
        ------
        BucketsFailedError
            Some minutes could not be closed for now.
        """
        for _ in range(_ROUNDS - 1):
            try:
                return minutes.close_due(self.close_minute, owner=owner, remaining_ms=remaining_ms)
            except BucketsFailedError as failed:
                if not all(isinstance(error, OutcomeRefusedError) for error in failed.errors.values()):
                    raise
        return minutes.close_due(self.close_minute, owner=owner, remaining_ms=remaining_ms)

    def close_minute(self, minute: ClosedBucket) -> Outcome:
        """Return the writes of one minute's candles; reads the other candles of its day that they are summed up from.

        Parameters
        ----------
        minute
            A material's minute; its records are candles of single commits.
        """
        candle = merged(read_candle(stored.record) for stored in minute.records())
        if candle is None:
            return Outcome()
        material, start_ms = minute.key, minute.start_ms
        # Before anything else of the day: what is read later is then as new as this, or the version has moved on.
        version = self._version(material, Interval.DAY.start_of(start_ms))
        interval = Interval.MINUTE
        writes = [self._put(material, interval, start_ms, candle)]
        for coarser in tuple(Interval)[1:]:
            window_ms = coarser.start_of(start_ms)
            parts = self._candles(material, interval, window_ms, window_ms + coarser.width_ms)
            parts[interval.start_of(start_ms)] = candle
            candle = cast("Candle", merged(parts.values()))
            interval = coarser
            guard = version if interval is Interval.DAY else None
            writes.append(self._put(material, interval, window_ms, candle, guard))
        return Outcome(writes=writes)

    def _version(self, material: str, day_ms: int) -> int:
        answer = self._client.get_item(
            TableName=self._table, Key=encode_item(candle_key(material, Interval.DAY, day_ms)), ConsistentRead=True
        )
        return read_int(decode_item(answer["Item"]), VERSION) if "Item" in answer else 0

    def _candles(self, material: str, interval: Interval, start_ms: int, end_ms: int) -> dict[int, Candle]:
        answer = self._client.query(  # 24 small items at most: one page
            TableName=self._table,
            KeyConditionExpression="series = :series AND start_ms BETWEEN :start AND :last",
            ExpressionAttributeValues=encode_item(
                {":series": series_of(material, interval), ":start": start_ms, ":last": end_ms - 1}
            ),
            ConsistentRead=True,
        )
        items = map(decode_item, answer["Items"])
        return {read_int(item, RANGE_KEY): read_candle(item) for item in items}

    def _put(
        self, material: str, interval: Interval, start_ms: int, candle: Candle, version: int | None = None
    ) -> TransactWriteItemTypeDef:
        item = candle_key(material, interval, start_ms) | candle_attributes(candle)
        if version is None:
            return {"Put": {"TableName": self._table, "Item": encode_item(item)}}
        return {
            "Put": {
                "TableName": self._table,
                "Item": encode_item(item | {VERSION: version + 1}),
                # Nothing deletes a day, so one without a version is one that has never been written.
                "ConditionExpression": "attribute_not_exists(#version) OR #version = :version",
                "ExpressionAttributeNames": {"#version": VERSION},
                "ExpressionAttributeValues": encode_item({":version": version}),
            }
        }

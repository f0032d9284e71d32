"""The items of the candles table, and a commit's candle as a record of its minute.

==================================  ====================================================================
``series``                          str, partition key: material, ``#``, interval, such as ``copper#5m``
``start_ms``                        int, sort key: where the window begins, epoch ms
``open``, ``high``, ``low``,        int, prices in minor units
``close``
``volume``, ``trades``              int, units and number of trades
``value_minor``                     int, sum of price times quantity in minor units
``first_sequence``,                 int, commits of the first and the last trade
``last_sequence``
``version``                         int, of days only: changes of anything within the day
==================================  ====================================================================

A window without trades has no item.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.candles import Candle
from patterns.dynamodb.items import read_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.candles import Interval
    from patterns.dynamodb.items import Item, Value

HASH_KEY = "series"
RANGE_KEY = "start_ms"
VERSION = "version"


def candle_key(material: str, interval: Interval, start_ms: int) -> Item:
    """Return the key of a candle."""
    return {HASH_KEY: series_of(material, interval), RANGE_KEY: start_ms}


def series_of(material: str, interval: Interval) -> str:
    """Return the partition with a material's candles of one width."""
    return f"{material}#{interval}"


def candle_attributes(candle: Candle) -> Item:
    """Return a candle's own attributes, without a key."""
    return {
        "open": candle.open_minor,
        "high": candle.high_minor,
        "low": candle.low_minor,
        "close": candle.close_minor,
        "volume": candle.volume,
        "value_minor": candle.value_minor,
        "trades": candle.trades,
        "first_sequence": candle.first_sequence,
        "last_sequence": candle.last_sequence,
    }


def read_candle(item: Mapping[str, Value]) -> Candle:
    """Return the candle of an item or a record; the inverse of `candle_attributes`.

    Raises
    ------
    patterns.dynamodb.items.ItemCodecError
        An attribute is missing or no integer.
    """
    return Candle(
        open_minor=read_int(item, "open"),
        high_minor=read_int(item, "high"),
        low_minor=read_int(item, "low"),
        close_minor=read_int(item, "close"),
        volume=read_int(item, "volume"),
        value_minor=read_int(item, "value_minor"),
        trades=read_int(item, "trades"),
        first_sequence=read_int(item, "first_sequence"),
        last_sequence=read_int(item, "last_sequence"),
    )

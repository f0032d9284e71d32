"""The tables with a history, by the names they have in it. No two have the same key attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from patterns.historic.errors import UnreadableRecordError
from patterns.historic.item_key import ItemKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

BIDS: Final = ItemKeys("bids", "buyer", "order_key")
SELL_ORDERS: Final = ItemKeys("sell-orders", "seller", "order_key")
ASKS: Final = ItemKeys("asks", "material", "price_key")
ACCOUNTS: Final = ItemKeys("accounts", "player", "line")
SETTLEMENTS: Final = ItemKeys("settlements", "transaction_id")

SOURCES: Final = (BIDS, SELL_ORDERS, ASKS, ACCOUNTS, SETTLEMENTS)

_BY_KEYS = {frozenset(filter(None, (keys.hash_key, keys.range_key))): keys for keys in SOURCES}


def source_of(record: Mapping[str, Any]) -> ItemKeys:
    """Return the source a stream record comes from: the names of its keys say so.

    Raises
    ------
    UnreadableRecordError
        It is no record of a table with a history.
    """
    names = frozenset(map(str, record.get("dynamodb", {}).get("Keys", {})))
    if names not in _BY_KEYS:
        raise UnreadableRecordError(f"no record of a table with a history: its keys are {sorted(names)}")
    return _BY_KEYS[names]

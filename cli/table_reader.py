"""Reads the tables of an environment into the typed rows that the invariant check wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from market.accounts.rows import AccountTables
from market.whole_tables import MarketTables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from cli.environments import Environment


class TableReader:
    """Reads an environment's tables.

    Parameters
    ----------
    environment
        Its outputs name the tables.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._scan = cast("DynamoDBClient", environment.client("dynamodb")).get_paginator("scan")

    def read(self) -> MarketTables:
        """Scan every table of orders and trades completely, strongly consistent.

        The tables are read one after the other: only a quiet market gives a picture that is consistent in itself.

        Raises
        ------
        market.tables.UnreadableItemError
            A stored item is not what its table holds.
        """
        return MarketTables.from_items(
            asks=self._items("asks_table_name"),
            sell_orders=self._items("sell_orders_table_name"),
            bids=self._items("bids_table_name"),
            standing_bids=self._items("standing_bids_table_name"),
            tape=self._items("tape_table_name"),
        )

    def read_accounts(self) -> AccountTables:
        """Scan accounts, journal, settlements and notifications, as `read` does.

        Raises
        ------
        market.tables.UnreadableItemError
            A stored item is not what its table holds.
        """
        return AccountTables.from_items(
            accounts=self._items("accounts_table_name"),
            journal=self._items("journal_table_name"),
            settlements=self._items("settlements_table_name"),
            notifications=self._items("notifications_table_name"),
        )

    def _items(self, output: str) -> Iterator[dict[str, Any]]:
        table = str(self._environment.output(output))
        for page in self._scan.paginate(TableName=table, ConsistentRead=True):
            yield from ({name: _plain(value) for name, value in item.items()} for item in page["Items"])


def _plain(attribute: Any) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value)
        case "L":
            return [_plain(member) for member in value]
        case "M":
            return {name: _plain(member) for name, member in value.items()}
        case "NULL":
            return None
        case _:
            return value

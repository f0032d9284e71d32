"""Data access of a material's open book: price levels of both sides at one moment. Never shows who."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from functions.api.contention import with_retries
from functions.api.problems import unavailable
from patterns.dynamodb.items import decode_item, encode_item, read_int

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import QueryInputTypeDef

    from functions.clock import Clock
    from patterns.dynamodb.items import Item

SNAPSHOT_ATTEMPTS: Final = 12
"""Readings of both sides, until one meets no commit. If every other one meets a commit, 1 snapshot in 4,000 fails."""

_PAGE = 500  # items a query at most; a full page of 1 MB would read far more than the usual depth needs
_ORDERS_A_LEVEL = 4  # for the first page; each further one is twice as large


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """All open orders of one side at one price: units wanted in all, and how many orders."""

    price_minor: int
    quantity: int
    orders: int


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """Both sides of a material's book, best price first, after the commit `sequence` (0 before the first)."""

    sequence: int
    asks: tuple[PriceLevel, ...]
    bids: tuple[PriceLevel, ...]


class BookStore:
    """The open book.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    asks_table, standing_bids_table, tape_table
        Names of the tables.
    clock
        Tells which orders have expired.
    """

    def __init__(
        self, client: DynamoDBClient, asks_table: str, standing_bids_table: str, tape_table: str, clock: Clock
    ) -> None:
        self._client = client
        self._clock = clock
        self._asks_table = asks_table
        self._standing_bids_table = standing_bids_table
        self._tape_table = tape_table

    def snapshot(self, material: str, depth: int) -> BookSnapshot:
        """Return the best `depth` price levels of both sides at one moment.

        DynamoDB has no snapshot over several queries, but the matcher alone changes and removes open orders, and each
        of its commits advances the tape: if the tape has not moved while both sides were read, both belong to the same
        sequence. An ask is in the book from its placing, so until the matcher's next commit it may stand there at a
        price that a bid would pay.

        Left out is what nobody can trade with: orders that have expired and wait for the matcher to remove them, and
        what is left of an order that may only trade at once, while its sweep is cut over several commits.

        Parameters
        ----------
        material
            Whose book.
        depth
            Most price levels of a side, 1 or more.

        Raises
        ------
        Problem
            503, the matcher committed during each of several attempts.
        """
        before = self._sequence(material)
        for _ in range(SNAPSHOT_ATTEMPTS):
            asks = self._levels(self._asks_table, material, depth)
            bids = self._levels(self._standing_bids_table, material, depth)
            after = self._sequence(material)
            if before == after:
                return BookSnapshot(after, asks, bids)
            before = after
        raise unavailable()

    def _sequence(self, material: str) -> int:
        answer = with_retries(
            lambda: self._client.query(
                TableName=self._tape_table,
                KeyConditionExpression="material = :material",
                ExpressionAttributeValues=encode_item({":material": material}),
                ProjectionExpression="#sequence",
                ExpressionAttributeNames={"#sequence": "sequence"},
                ScanIndexForward=False,
                Limit=1,
                ConsistentRead=True,
            )
        )
        return read_int(decode_item(answer["Items"][0]), "sequence") if answer["Items"] else 0

    def _levels(self, table: str, material: str, depth: int) -> tuple[PriceLevel, ...]:
        levels: list[PriceLevel] = []
        now_ms = self._clock()
        for order in self._open_orders(table, material, depth * _ORDERS_A_LEVEL):
            if not _is_open(order, now_ms):
                continue
            price_minor, remaining = read_int(order, "price_minor"), read_int(order, "remaining")
            if levels and levels[-1].price_minor == price_minor:
                level = levels[-1]
                levels[-1] = PriceLevel(price_minor, level.quantity + remaining, level.orders + 1)
            elif len(levels) == depth:
                break
            else:
                levels.append(PriceLevel(price_minor, remaining, 1))
        return tuple(levels)

    def _open_orders(self, table: str, material: str, first_page: int) -> Iterator[Item]:
        """Yield open orders best first; the range keys of both tables sort that way."""
        page = min(first_page, _PAGE)
        request: QueryInputTypeDef = {
            "TableName": table,
            "KeyConditionExpression": "material = :material",
            "ExpressionAttributeValues": encode_item({":material": material}),
            "ProjectionExpression": "price_minor, remaining, expires_at_ms, #immediate",
            "ExpressionAttributeNames": {"#immediate": "immediate"},  # a reserved word
            "Limit": page,
            "ConsistentRead": True,
        }
        while True:
            answer = with_retries(lambda: self._client.query(**request))
            yield from map(decode_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            page = min(2 * page, _PAGE)
            request["Limit"] = page


def _is_open(order: Item, now_ms: int) -> bool:
    if "expires_at_ms" in order and read_int(order, "expires_at_ms") <= now_ms:
        return False
    return order.get("immediate") is not True

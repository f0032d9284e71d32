"""What an audit reads: pages of tables and single items as typed rows, strongly consistent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from functions.accounts.journal import read_entry
from functions.api.contention import UnfinishedError, with_retries
from functions.matching.tables import open_ask, standing_bid
from market.auditing.settlement import Entry, Line
from market.keys import ask_price_key, bid_price_key
from market.side import Side
from market.tables import Bid, OpenAsk, SellOrder, StandingBid
from market.tape import decode_commit
from market.whole_tables import MarketTables
from patterns.dynamodb.items import decode_item, encode_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from functions.matching.tables import StoredItem
    from market.tape import TapeCommit
    from patterns.dynamodb.items import Item

_LARGEST_BATCH_GET = 100  # keys: BatchGetItem, Amazon DynamoDB API Reference
LAST = 10**15
"""Above every sequence number."""
_POINTERS = "~"
"""First character of the keys of client order ids and of transfers' references; sorts after all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedTables:
    """The tables of a market, for reading.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    asks, sell_orders, bids, standing_bids, tape, accounts, journal, settlements
        Names of the tables.
    """

    client: DynamoDBClient
    asks: str
    sell_orders: str
    bids: str
    standing_bids: str
    tape: str
    accounts: str
    journal: str
    settlements: str

    # The tape

    def commits(self, material: str, after: int, limit: int) -> list[TapeCommit]:
        """Return the next commits of a material."""
        return self._commits(material, after + 1, LAST, limit, forward=True)

    def commits_before(self, material: str, before: int, limit: int) -> list[TapeCommit]:
        """Return the commits of a material before a sequence number, newest first; `LAST` for the newest of all."""
        return self._commits(material, 1, before - 1, limit, forward=False)

    def last_before(self, material: str, at_ms: int) -> int:
        """Return the sequence number of the last commit before a time, 0 if there is none; log2 of the tape's reads."""
        newest = self.commits_before(material, LAST, 1)
        low, high = 0, newest[0].sequence + 1 if newest else 1
        while high - low > 1:
            middle = (low + high) // 2
            commit = self.commits(material, middle - 1, 1)[0]
            low, high = (middle, high) if commit.committed_at_ms < at_ms else (low, middle)
        return low

    def commits_of(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], TapeCommit]:
        """Return commits by material and sequence number; those that are not there are left out."""
        keys = [{"material": material, "sequence": sequence} for material, sequence in dict.fromkeys(places)]
        commits = map(decode_commit, self.items(self.tape, keys))
        return {(commit.material, commit.sequence): commit for commit in commits}

    # Accounts

    def players(self, after: Mapping[str, Any] | None) -> tuple[list[str], Mapping[str, Any] | None]:
        """Return the players on a page of the accounts, and where the next page starts; None behind the last."""
        start = {"ExclusiveStartKey": after} if after else {}
        answer = with_retries(
            lambda: self.client.scan(
                TableName=self.accounts, ProjectionExpression="player", Limit=1000, **cast("Any", start)
            )
        )
        names = dict.fromkeys(item["player"].get("S", "") for item in answer["Items"])
        return list(names), answer.get("LastEvaluatedKey")

    def lines(self, player: str) -> list[Line]:
        """Return a player's account."""
        return [line for item in self.account_items(player) if (line := _line(decode_item(item))) is not None]

    def line(self, player: str, material: str) -> Line | None:
        """Return one line of a player's account; None if it is not there."""
        items = self.items(self.accounts, [{"player": player, "line": f"material#{material}"}])
        return _line(items[0]) if items else None

    def account_items(self, player: str) -> list[StoredItem]:
        """Return the items of a player's lines as they are stored."""
        values = encode_item({":player": player, ":references": _POINTERS})
        found: list[StoredItem] = []
        start: dict[str, Any] = {}
        while True:
            answer = with_retries(
                lambda start=start: self.client.query(
                    TableName=self.accounts,
                    KeyConditionExpression="player = :player AND #line < :references",
                    ExpressionAttributeNames={"#line": "line"},
                    ExpressionAttributeValues=values,
                    ConsistentRead=True,
                    **start,
                )
            )
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def is_counted(self, places: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        """Return those of some (player, material, order id) that the player's line counts as open."""
        wanted = list(dict.fromkeys(places))
        keys = [{"player": player, "line": f"material#{material}"} for player, material, _ in wanted]
        lines = [_line(item) for item in self.items(self.accounts, keys)]
        counted = {
            (line.player, line.material, order_id)
            for line in lines
            if line is not None
            for order_id in line.open_asks | line.open_bids
        }
        return {place for place in wanted if place in counted}

    def entries(self, player: str, after: str, limit: int, until: str = ":") -> tuple[list[Entry], str | None]:
        """Return the next entries of a player's journal, oldest first, and the last one's key if more may follow."""
        values = encode_item({":player": player, ":after": after, ":until": until})
        answer = with_retries(
            lambda: self.client.query(
                TableName=self.journal,
                KeyConditionExpression="player = :player AND entry_key BETWEEN :after AND :until",
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                Limit=limit + 1,  # the one at `after`, again
            )
        )
        items = [decode_item(item) for item in answer["Items"]]
        last = cast("str", items[-1]["entry_key"]) if items and "LastEvaluatedKey" in answer else None
        return [_entry(item) for item in items if item["entry_key"] != after], last

    def entries_of(self, commit: TapeCommit, player: str) -> list[Entry]:
        """Return what a commit has caused in a player's journal."""
        prefix = f"{commit.committed_at_ms:013d}#settlement#{commit.material}-{commit.sequence}#"
        return self.entries(player, prefix, 200, f"{prefix}:")[0]

    # Orders

    def records(self, side: Side, player: str, after: str, limit: int) -> list[Bid | SellOrder]:
        """Return the next orders of a player's side, oldest first."""
        table, owner = (self.sell_orders, "seller") if side is Side.SELL else (self.bids, "buyer")
        answer = with_retries(
            lambda: self.client.query(
                TableName=table,
                KeyConditionExpression=f"{owner} = :player AND order_key BETWEEN :after AND :pointers",
                ExpressionAttributeValues=encode_item(
                    {":player": player, ":after": after or "0", ":pointers": _POINTERS}
                ),
                ConsistentRead=True,
                Limit=limit + 1,
            )
        )
        return [record for record in _records(side, map(decode_item, answer["Items"])) if _id(record) != after][:limit]

    def records_of(self, side: Side, places: Iterable[tuple[str, str]]) -> dict[str, Bid | SellOrder]:
        """Return orders of a side by id, from their players and ids; those that are not there are left out."""
        table, owner = (self.sell_orders, "seller") if side is Side.SELL else (self.bids, "buyer")
        keys = [{owner: player, "order_key": order_id} for player, order_id in dict.fromkeys(places)]
        return {_id(record): record for record in _records(side, self.items(table, keys))}

    def resting_of(self, records: Iterable[Bid | SellOrder]) -> dict[str, OpenAsk | StandingBid]:
        """Return the orders' items of the book by order id; those that are not there are left out."""
        keys: dict[str, list[dict[str, str]]] = {self.asks: [], self.standing_bids: []}
        for record in records:
            if isinstance(record, SellOrder):
                price_key = ask_price_key(record.price_minor, record.ask_id)
                keys[self.asks].append({"material": record.material, "price_key": price_key})
            else:
                price_key = bid_price_key(record.price_minor, record.bid_id)
                keys[self.standing_bids].append({"material": record.material, "price_key": price_key})
        found: dict[str, OpenAsk | StandingBid] = {}
        for item in self.stored(self.asks, keys[self.asks]):
            ask = open_ask(item)
            found[ask.ask_id] = ask
        for item in self.stored(self.standing_bids, keys[self.standing_bids]):
            bid = standing_bid(item)
            found[bid.bid_id] = bid
        return found

    def book(self, side: Side, material: str, after: str, limit: int) -> list[OpenAsk | StandingBid]:
        """Return the next items of one side of a material's book."""
        table = self.asks if side is Side.SELL else self.standing_bids
        answer = with_retries(
            lambda: self.client.query(
                TableName=table,
                KeyConditionExpression="material = :material AND price_key > :after",
                ExpressionAttributeValues=encode_item({":material": material, ":after": after or "0"}),
                ConsistentRead=True,
                Limit=limit,
            )
        )
        row = open_ask if side is Side.SELL else standing_bid
        return [row(item) for item in answer["Items"]]

    # Settlements

    def settlement_states(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """Return the status of settlements by material and sequence number; those that are not there are left out."""
        ids = {f"{material}-{sequence}": (material, sequence) for material, sequence in places}
        items = self.items(self.settlements, [{"transaction_id": settlement_id} for settlement_id in ids])
        return {ids[cast("str", item["transaction_id"])]: cast("str", item["status"]) for item in items}

    def settlement_page(
        self, after: Mapping[str, Any] | None, limit: int
    ) -> tuple[list[StoredItem], Mapping[str, Any] | None]:
        """Return some settlements as they are stored, and where the next ones start; None behind the last."""
        start = {"ExclusiveStartKey": after} if after else {}
        answer = with_retries(
            lambda: self.client.scan(TableName=self.settlements, Limit=limit, ConsistentRead=True, **cast("Any", start))
        )
        return list(answer["Items"]), answer.get("LastEvaluatedKey")

    # Any

    def items(self, table: str, keys: Sequence[Mapping[str, str | int]]) -> list[Item]:
        """Return the items of a table that have these keys, in no order."""
        return [decode_item(item) for item in self.stored(table, keys)]

    def stored(self, table: str, keys: Sequence[Mapping[str, str | int]]) -> list[StoredItem]:
        """Return the items of a table that have these keys as they are stored, in no order."""
        found: list[StoredItem] = []
        unique = list({tuple(sorted(key.items())): key for key in keys}.values())
        for start in range(0, len(unique), _LARGEST_BATCH_GET):
            encoded = [encode_item(dict(key)) for key in unique[start : start + _LARGEST_BATCH_GET]]
            wanted: Any = {table: {"Keys": encoded, "ConsistentRead": True}}

            def read() -> None:
                nonlocal wanted
                answer = self.client.batch_get_item(RequestItems=wanted)
                found.extend(answer["Responses"].get(table, []))
                wanted = answer["UnprocessedKeys"]
                if wanted:
                    raise UnfinishedError

            with_retries(read)
        return found

    def _commits(self, material: str, low: int, high: int, limit: int, *, forward: bool) -> list[TapeCommit]:
        if high < low:
            return []
        answer = with_retries(
            lambda: self.client.query(
                TableName=self.tape,
                KeyConditionExpression="material = :material AND #sequence BETWEEN :low AND :high",
                ExpressionAttributeNames={"#sequence": "sequence"},
                ExpressionAttributeValues=encode_item({":material": material, ":low": low, ":high": high}),
                ScanIndexForward=forward,
                ConsistentRead=True,
                Limit=limit,
            )
        )
        return [decode_commit(decode_item(item)) for item in answer["Items"]]


def _records(side: Side, items: Iterable[Item]) -> list[Bid | SellOrder]:
    stored = list(items)
    empty: dict[str, list[Item]] = {name: [] for name in ("asks", "sell_orders", "bids", "standing_bids", "tape")}
    rows = MarketTables.from_items(**{**empty, "sell_orders" if side is Side.SELL else "bids": stored})
    return [*rows.sell_orders, *rows.bids]


def _id(record: Bid | SellOrder) -> str:
    return record.ask_id if isinstance(record, SellOrder) else record.bid_id


def _entry(item: Item) -> Entry:
    entry = read_entry(item)
    postings = tuple((str(posting.account), posting.asset, posting.amount) for posting in entry.postings)
    return Entry(entry.player, entry.cause, entry.at_ms, postings)


def _line(item: Item) -> Line | None:
    name = cast("str", item["line"])
    if name != "wallet" and not name.startswith("material#"):
        return None
    numbers = ("available_minor", "available", "held", "held_minor", "proceeds_minor")
    return Line(
        player=cast("str", item["player"]),
        material=None if name == "wallet" else name.removeprefix("material#"),
        open_asks=_open(item, "open_asks"),
        open_bids=_open(item, "open_bids"),
        **{number: cast("int", item.get(number, 0)) for number in numbers},
    )


def _open(item: Item, name: str) -> frozenset[str]:
    return frozenset(str(UUID(bytes=raw)) for raw in cast("frozenset[bytes]", item.get(name, frozenset())))

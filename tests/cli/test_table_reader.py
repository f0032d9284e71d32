"""Reading whole tables: every item once, over all pages, with the types the check wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import boto3
import pytest
from moto import mock_aws

from cli.environments import Environment
from cli.table_reader import TableReader
from market.accounts.bookkeeping import Book, Posting
from market.side import Side
from market.tape import TapeCommit, TradeFill, encode_commit
from market.whole_tables import UnreadableItemError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient

ACCOUNT_TABLES = ("accounts", "journal", "settlements", "notifications")
TABLES = ("asks", "sell_orders", "bids", "standing_bids", "tape", *ACCOUNT_TABLES)
BID_ID = "0190163d-8694-739b-aea5-966c26f8ad91"
ASK_ID = "0190163d-8694-739b-aea5-966c26f8ad92"
COMMIT = TapeCommit("copper", 1, 12, 11, (TradeFill(1, BID_ID, "ann", ASK_ID, "bob", 250, 3, Side.BUY),))


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBClient]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = cast("DynamoDBClient", cast("Any", boto3).client("dynamodb", region_name="eu-west-1"))
        for table in TABLES:
            client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            )
        yield client


def reader(client: DynamoDBClient) -> TableReader:
    def make_client(_service: str) -> Any:
        return client

    return TableReader(Environment("local", {f"{table}_table_name": table for table in TABLES}, make_client))


def attribute(value: object) -> Any:
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, set):
        return {"BS": list(cast("set[bytes]", value))}
    if isinstance(value, dict):
        return {"M": {name: attribute(member) for name, member in cast("dict[str, object]", value).items()}}
    if isinstance(value, list):
        return {"L": [attribute(member) for member in cast("list[object]", value)]}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def put(client: DynamoDBClient, table: str, key: str, **attributes: object) -> None:
    item = {name: attribute(value) for name, value in attributes.items()}
    client.put_item(TableName=table, Item={"key": {"S": key}, **item})


def bid(**changes: object) -> dict[str, object]:
    return {
        "bid_id": BID_ID,
        "buyer": "ann",
        "material": "copper",
        "price_minor": 250,
        "quantity": 3,
        "filled": 3,
        "status": "FILLED",
        "placed_at_ms": 10,
        **changes,
    }


def test_items_become_rows_and_pointers_are_left_out(dynamodb: DynamoDBClient) -> None:
    put(dynamodb, "bids", "1", **bid())
    put(dynamodb, "bids", "2", order_id=BID_ID, fingerprint="f")
    put(dynamodb, "tape", "1", **encode_commit(COMMIT))
    tables = reader(dynamodb).read()
    assert [(row.bid_id, row.filled, row.matched_at_ms) for row in tables.bids] == [(BID_ID, 3, None)]
    assert tables.tape == (COMMIT,)
    assert tables.asks == tables.sell_orders == tables.standing_bids == ()


def test_a_table_of_several_pages_is_read_to_its_end(dynamodb: DynamoDBClient) -> None:
    for number in range(12):
        put(dynamodb, "bids", str(number), **bid(bid_id=f"{number}", padding="x" * 200_000))
    assert {row.bid_id for row in reader(dynamodb).read().bids} == {str(number) for number in range(12)}


def test_accounts_become_rows_and_references_are_left_out(dynamodb: DynamoDBClient) -> None:
    ids = {UUID(BID_ID).bytes, UUID(ASK_ID).bytes}
    put(dynamodb, "accounts", "1", player="ann", line="wallet", available_minor=7, version=3)
    put(dynamodb, "accounts", "2", player="ann", line="material#copper", held=2, open_bids=ids, version=1)
    put(dynamodb, "accounts", "3", player="ann", line="~deposit#one", fingerprint="f", at_ms=1)
    postings = [{"account": "available", "asset": "money", "amount": 7}]
    entry = {"player": "ann", "entry_key": "1#deposit#one", "cause": "deposit#one", "at_ms": 1}
    put(dynamodb, "journal", "1", **entry, postings=[*postings, {"account": "game", "asset": "money", "amount": -7}])
    put(dynamodb, "settlements", "1", transaction_id="copper-1", status="COMPLETED", attempts=1)
    told = {"player": "ann", "order_id": BID_ID, "side": "BUY", "material": "copper", "status": "FILLED"}
    put(dynamodb, "notifications", "1", **told, quantity=3, filled=3, value_minor=9, fee_minor=0)
    accounts = reader(dynamodb).read_accounts()
    wallet, copper = sorted(accounts.lines, key=lambda line: line.material or "")
    assert (wallet.material, wallet.available_minor, wallet.open_bids) == (None, 7, ())
    assert (copper.material, copper.held, copper.available, copper.open_bids) == ("copper", 2, 0, (BID_ID, ASK_ID))
    (row,) = accounts.journal
    assert row.postings == (Posting(Book.AVAILABLE, "money", 7), Posting(Book.GAME, "money", -7))
    assert [(row.transaction_id, row.status) for row in accounts.settlements] == [("copper-1", "COMPLETED")]
    assert [(row.order_id, row.reason) for row in accounts.notifications] == [(BID_ID, None)]


@pytest.mark.parametrize(
    ("table", "attributes"),
    [
        ("accounts", {"player": "ann", "line": "wallet", "available_minor": "7"}),
        ("accounts", {"player": "ann", "line": "material#copper", "open_asks": {b"short"}}),
        ("journal", {"player": "ann", "entry_key": "1", "cause": "c", "at_ms": 1, "postings": [{"account": "?"}]}),
        ("journal", {"player": "ann", "entry_key": "1", "cause": "c", "at_ms": 1}),
        ("settlements", {"transaction_id": "copper-1"}),
        ("notifications", {"player": "ann"}),
    ],
)
def test_an_item_that_is_no_row_of_accounts_is_named(
    table: str, attributes: dict[str, object], dynamodb: DynamoDBClient
) -> None:
    put(dynamodb, table, "1", **attributes)
    with pytest.raises(UnreadableItemError):
        reader(dynamodb).read_accounts()


@pytest.mark.parametrize(
    ("attributes", "named"), [(bid(filled="3"), "filled"), ({"bid_id": BID_ID}, "buyer")], ids=["type", "missing"]
)
def test_an_item_that_is_no_row_is_named(attributes: dict[str, object], named: str, dynamodb: DynamoDBClient) -> None:
    put(dynamodb, "bids", "1", **attributes)
    with pytest.raises(UnreadableItemError, match=named):
        reader(dynamodb).read()

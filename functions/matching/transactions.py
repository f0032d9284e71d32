"""A commit as the actions of one TransactWriteItems call: every write under a condition on what was read."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, cast

from market.tables import OpenAsk, StandingBid
from market.tape import TapeCommit, encode_commit
from patterns.dynamodb.items import encode_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef, UpdateTypeDef

    from functions.matching.tables import StoredItem, Tables
    from market.fees import Fees
    from market.matching.changes import BidChange, Commit, SellOrderChange
    from patterns.dynamodb.items import Item
    from patterns.sequenced_log import SequencedLog

    _Values = dict[str, AttributeValueTypeDef]

_MARKS = ("request", "request_id", "request_quantity")
_WITHOUT_MARKS = " REMOVE #request, request_id, request_quantity"
_MARK_NAMES = {"#request": "request"}
_STATUS_NAME = {"#status": "status"}
_PENDING: _Values = {":pending": {"S": "PENDING"}}


def commit_actions(
    commit: Commit,
    stored: Mapping[str, StoredItem],
    tables: Tables,
    tape: SequencedLog,
    *,
    fees: Fees,
    received_at_ms: int,
    committed_at_ms: int,
) -> list[TransactWriteItemTypeDef]:
    """Return the actions that write a commit.

    Parameters
    ----------
    commit
        At most 100 items.
    stored
        Stored items, by order id, of the orders that arrive and of those whose player asked for something.
    tables, tape
        Where to write.
    fees
        The rates in effect.
    received_at_ms, committed_at_ms
        Epoch ms at which the matcher started on the batch, and writes this commit.

    Returns
    -------
    list[TransactWriteItemTypeDef]
        First those of ``commit.bids``, then those of ``commit.sell_orders``, in their order; `commit.items` in all.
    """
    entry = encode_commit(
        TapeCommit(
            commit.material, commit.sequence, committed_at_ms, received_at_ms, commit.fills, commit.orders, rates=fees
        )
    )
    return [
        *(_bid_action(tables.bids, change, stored, committed_at_ms) for change in commit.bids),
        *(_sell_order_action(tables.sell_orders, change, stored, committed_at_ms) for change in commit.sell_orders),
        *(_book_action(tables.asks, change.before, change.after) for change in commit.asks),
        *(_book_action(tables.standing_bids, change.before, change.after) for change in commit.standing_bids),
        tape.append_action(commit.material, commit.sequence, cast("Item", entry)),
    ]


def _number(value: int) -> AttributeValueTypeDef:
    return {"N": str(value)}


def _bid_action(
    table_name: str, change: BidChange, stored: Mapping[str, StoredItem], committed_at_ms: int
) -> TransactWriteItemTypeDef:
    if change.arrival is not None:
        return _arrival_action(table_name, change, stored[change.bid_id], change.status, committed_at_ms)
    names = _STATUS_NAME
    values: _Values = {
        ":filled": _number(change.filled),
        ":status": {"S": change.status},
        ":read": _number(change.filled_before),
    }
    update, condition = "SET filled = :filled, #status = :status", "filled = :read"
    if change.reason is not None:
        update += ", reason = :reason"
        values[":reason"] = {"S": change.reason}
    if change.request_done:
        update += ", quantity = :quantity"
        values[":quantity"] = _number(change.quantity)
    if change.request_done and change.closed is None:
        condition += " AND request_id = :request_id"  # the next thing asked for is not lost
        values[":request_id"] = cast("AttributeValueTypeDef", stored[change.bid_id]["request_id"])
    if change.request_done or change.closed is not None:
        update += _WITHOUT_MARKS
        names = names | _MARK_NAMES
    return {
        "Update": {
            "TableName": table_name,
            "Key": {"buyer": {"S": change.buyer}, "order_key": {"S": change.bid_id}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }


def _sell_order_action(
    table_name: str, change: SellOrderChange, stored: Mapping[str, StoredItem], committed_at_ms: int
) -> TransactWriteItemTypeDef:
    if change.arrival is not None:
        return _arrival_action(table_name, change, stored[change.ask_id], change.status, committed_at_ms)
    values: _Values = {":quantity": _number(change.quantity)}
    update, condition = "SET quantity = :quantity", "attribute_exists(seller) AND attribute_not_exists(#status)"
    if change.status is not None:
        update += ", #status = :status, filled = :filled, reason = :reason"
        update += ", matched_at_ms = if_not_exists(matched_at_ms, :now)"
        values[":status"] = {"S": change.status}
        values[":filled"] = _number(change.filled)
        values[":reason"] = {"S": change.reason or ""}
        values[":now"] = _number(committed_at_ms)
    elif change.closed is None:
        condition += " AND request_id = :request_id"
        values[":request_id"] = cast("AttributeValueTypeDef", stored[change.ask_id]["request_id"])
    return {
        "Update": {
            "TableName": table_name,
            "Key": {"seller": {"S": change.seller}, "order_key": {"S": change.ask_id}},
            "UpdateExpression": update + _WITHOUT_MARKS,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _STATUS_NAME | _MARK_NAMES,
            "ExpressionAttributeValues": values,
        }
    }


def _arrival_action(
    table_name: str, change: BidChange | SellOrderChange, image: StoredItem, status: str | None, committed_at_ms: int
) -> TransactWriteItemTypeDef:
    # Nobody but its player, by asking for something, writes an order between its insertion and this commit: so under
    # this condition the image is the stored item. Replacing it costs the same units as an update and the emulator half
    # the work, which is most of what a fill takes there.
    assert change.arrival is not None
    item = cast("_Values", dict(image))
    if status is None:
        del item["status"]
    else:
        item["status"] = {"S": status}
        item["filled"] = _number(change.filled)
        if change.reason is not None:
            item["reason"] = {"S": change.reason}
    item["quantity"] = _number(change.quantity)
    item["sequenced_at_ms"] = _number(change.arrival.sequenced_at_ms or committed_at_ms)
    item["matched_at_ms"] = _number(committed_at_ms)
    condition, read = "#status = :pending AND attribute_not_exists(request_id)", _PENDING
    if "request_id" in image:
        condition = "#status = :pending AND request_id = :request_id"
        read = {**_PENDING, ":request_id": cast("AttributeValueTypeDef", image["request_id"])}
        if change.request_done or change.closed is not None:
            for name in _MARKS:
                item.pop(name, None)
    return {
        "Put": {
            "TableName": table_name,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _STATUS_NAME,
            "ExpressionAttributeValues": read,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


_BOOK_ATTRIBUTES = {row: tuple(field.name for field in fields(row)) for row in (OpenAsk, StandingBid)}


def _book_action(
    table_name: str, before: OpenAsk | StandingBid | None, after: OpenAsk | StandingBid | None
) -> TransactWriteItemTypeDef:
    if before is None:
        assert after is not None
        item: _Values = {
            name: encode_value(value)
            for name in _BOOK_ATTRIBUTES[type(after)]
            if (value := getattr(after, name)) is not None
        }
        return {"Put": {"TableName": table_name, "Item": item, "ConditionExpression": "attribute_not_exists(material)"}}
    key: _Values = {"material": {"S": before.material}, "price_key": {"S": before.price_key}}
    values: _Values = {":read": _number(before.remaining)}
    if after is None:
        return {
            "Delete": {
                "TableName": table_name,
                "Key": key,
                "ConditionExpression": "remaining = :read",
                "ExpressionAttributeValues": values,
            }
        }
    written: list[str] = []
    removed: list[str] = []
    for name in _BOOK_ATTRIBUTES[type(after)]:
        value = getattr(after, name)
        if value == getattr(before, name):
            continue
        if value is None:
            removed.append(f"#{name}")
        else:
            written.append(f"{name} = :{name}")
            values[f":{name}"] = encode_value(value)
    action: UpdateTypeDef = {
        "TableName": table_name,
        "Key": key,
        "UpdateExpression": " ".join(
            f"{verb} {', '.join(parts)}" for verb, parts in (("SET", written), ("REMOVE", removed)) if parts
        ),
        "ConditionExpression": "remaining = :read",
        "ExpressionAttributeValues": values,
    }
    if removed:
        action["ExpressionAttributeNames"] = {name: name.removeprefix("#") for name in removed}
    return {"Update": action}

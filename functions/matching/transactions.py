"""A commit as the actions of one TransactWriteItems call: every write under a condition on what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from market.tape import TapeCommit, encode_commit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef, TransactWriteItemTypeDef

    from functions.matching.tables import StoredItem, Tables
    from market.commits import AskChange, BidChange, Commit, StandingChange
    from market.tables import Bid, StandingBid
    from patterns.dynamodb.items import Item
    from patterns.sequenced_log import SequencedLog

    _Key = dict[str, AttributeValueTypeDef]


def commit_actions(
    commit: Commit,
    images: Mapping[str, StoredItem],
    tables: Tables,
    tape: SequencedLog,
    *,
    received_at_ms: int,
    committed_at_ms: int,
) -> list[TransactWriteItemTypeDef]:
    """Return the actions that write a commit.

    Parameters
    ----------
    commit
        At most 100 items.
    images
        Stored items of the new bids, by bid id, as they were inserted.
    tables, tape
        Where to write.
    received_at_ms, committed_at_ms
        Epoch ms at which the matcher started on the batch, and writes this commit.

    Returns
    -------
    list[TransactWriteItemTypeDef]
        The bids' actions first, in the order of ``commit.bids``; `commit.items` actions in all.
    """
    entry = encode_commit(TapeCommit(commit.material, commit.sequence, committed_at_ms, received_at_ms, commit.fills))
    return [
        *(
            _update_bid_action(tables.bids, change)
            if change.arrival is None
            else _arrival_action(tables.bids, change, images[change.bid_id], change.arrival, committed_at_ms)
            for change in commit.bids
        ),
        *(_ask_action(tables.asks, change) for change in commit.asks),
        *(_standing_action(tables.standing_bids, change) for change in commit.standing_bids),
        tape.append_action(commit.material, commit.sequence, cast("Item", entry)),
    ]


def _number(value: int) -> AttributeValueTypeDef:
    return {"N": str(value)}


def _update_bid_action(table_name: str, change: BidChange) -> TransactWriteItemTypeDef:
    return {
        "Update": {
            "TableName": table_name,
            "Key": {"buyer": {"S": change.buyer}, "order_key": {"S": change.bid_id}},
            "UpdateExpression": "SET filled = :filled, #status = :status",
            "ConditionExpression": "filled = :read",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {
                ":filled": _number(change.filled),
                ":status": {"S": change.status},
                ":read": _number(change.filled_before),
            },
        }
    }


def _arrival_action(
    table_name: str, change: BidChange, image: StoredItem, bid: Bid, committed_at_ms: int
) -> TransactWriteItemTypeDef:
    # Nobody writes a bid between its insertion and this commit, so the inserted item is the stored one. Replacing it
    # costs the same units as an update and the emulator half the work, which is most of what a fill takes there.
    return {
        "Put": {
            "TableName": table_name,
            "Item": {
                **cast("dict[str, AttributeValueTypeDef]", image),
                "filled": _number(change.filled),
                "status": {"S": change.status},
                "sequenced_at_ms": _number(bid.sequenced_at_ms or committed_at_ms),
                "matched_at_ms": _number(committed_at_ms),
            },
            "ConditionExpression": "#status = :pending",
            "ExpressionAttributeNames": {"#status": "status"},
            "ExpressionAttributeValues": {":pending": {"S": bid.status}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _ask_action(table_name: str, change: AskChange) -> TransactWriteItemTypeDef:
    ask = change.before
    key: _Key = {"material": {"S": ask.material}, "price_key": {"S": ask.price_key}}
    return _remaining_action(table_name, key, ask.remaining, change.remaining, "SET remaining = :remaining")


def _standing_action(table_name: str, change: StandingChange) -> TransactWriteItemTypeDef:
    before, after = change.before, change.after
    if before is None:
        assert after is not None
        return _stand_action(table_name, after)
    key: _Key = {"material": {"S": before.material}, "price_key": {"S": before.price_key}}
    # A bid takes before it stands, never again: the mark is only ever set by the Put.
    update = "SET remaining = :remaining REMOVE taking" if after and not after.taking else "SET remaining = :remaining"
    return _remaining_action(table_name, key, before.remaining, after.remaining if after else 0, update)


def _stand_action(table_name: str, bid: StandingBid) -> TransactWriteItemTypeDef:
    item: dict[str, AttributeValueTypeDef] = {
        "material": {"S": bid.material},
        "price_key": {"S": bid.price_key},
        "bid_id": {"S": bid.bid_id},
        "buyer": {"S": bid.buyer},
        "price_minor": _number(bid.price_minor),
        "quantity": _number(bid.quantity),
        "remaining": _number(bid.remaining),
        "placed_at_ms": _number(bid.placed_at_ms),
    }
    if bid.taking:
        item["taking"] = {"BOOL": True}
    return {"Put": {"TableName": table_name, "Item": item, "ConditionExpression": "attribute_not_exists(material)"}}


def _remaining_action(table_name: str, key: _Key, before: int, after: int, update: str) -> TransactWriteItemTypeDef:
    if after == 0:
        return {
            "Delete": {
                "TableName": table_name,
                "Key": key,
                "ConditionExpression": "remaining = :read",
                "ExpressionAttributeValues": {":read": _number(before)},
            }
        }
    return {
        "Update": {
            "TableName": table_name,
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": "remaining = :read",
            "ExpressionAttributeValues": {":read": _number(before), ":remaining": _number(after)},
        }
    }

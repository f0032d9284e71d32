"""The stores themselves, so that a suite that passes on both has met both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.patterns.stores import Index

if TYPE_CHECKING:
    from tests.patterns.stores import Store


def test_a_new_table_is_empty_and_keeps_conditions_and_indexes(store: Store) -> None:
    table = store.create_table("owner", "number", range_key_type="N", indexes=[Index("by-state", "state")], stream=True)
    assert store.client.scan(TableName=table)["Items"] == []

    item = {"owner": {"S": "ann"}, "number": {"N": "1"}, "state": {"S": "open"}}
    store.client.put_item(TableName=table, Item=item)

    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        store.client.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(#owner)",
            ExpressionAttributeNames={"#owner": "owner"},
        )
    found = store.client.query(
        TableName=table,
        IndexName="by-state",
        KeyConditionExpression="#state = :open",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":open": {"S": "open"}},
    )
    assert found["Items"] == [item]

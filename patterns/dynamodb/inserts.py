"""Many new items a call, none of which can replace another one, under a right that knows nothing else.

PutItem is one call an item, and a role that has it may overwrite. PartiQL's INSERT fails where the key is taken, costs
the same write units, comes in batches, and is a right of its own, `dynamodb:PartiQLInsert`:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html,
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef, UniversalAttributeValueTypeDef

    from patterns.each import Each

MOST_ITEMS: Final = 25
"""Statements of a call: BatchExecuteStatement, Amazon DynamoDB API Reference. At 400 KB each they stay below 16 MB."""

_TAKEN = "DuplicateItem"

Inserted: TypeAlias = "bool | ClientError | BotoCoreError"
"""Whether the item's key was free; or why nobody knows."""


def insert_items(
    client: DynamoDBClient,
    table_name: str,
    items: Sequence[Mapping[str, UniversalAttributeValueTypeDef]],
    each: Each = map,
) -> list[Inserted]:
    """Store new items, each by itself: one that fails holds up no other.

    Parameters
    ----------
    client, table_name
        Where to. Calls made: BatchExecuteStatement with INSERT only.
    items
        In DynamoDB's attribute form, with different keys. A call stores up to 25 of them, in no particular order.
    each
        Makes the calls.

    Returns
    -------
    list[Inserted]
        In the items' order. An error is that of the item's call, or its own in the form of a call's: throttled, say.
    """
    calls = [items[start : start + MOST_ITEMS] for start in range(0, len(items), MOST_ITEMS)]

    def insert(batch: Sequence[Mapping[str, UniversalAttributeValueTypeDef]]) -> list[Inserted]:
        try:
            answer = client.batch_execute_statement(Statements=[_statement(table_name, item) for item in batch])
        except (ClientError, BotoCoreError) as error:
            return [error] * len(batch)
        return [_outcome(response.get("Error")) for response in answer["Responses"]]

    return [outcome for outcomes in each(insert, calls) for outcome in outcomes]


def _statement(table_name: str, item: Mapping[str, UniversalAttributeValueTypeDef]) -> BatchStatementRequestTypeDef:
    attributes = ", ".join(f"'{name}': ?" for name in item)
    return {"Statement": f'INSERT INTO "{table_name}" VALUE {{{attributes}}}', "Parameters": list(item.values())}


def _outcome(error: Mapping[str, object] | None) -> Inserted:
    if error is None:
        return True
    code = str(error.get("Code"))
    if code == _TAKEN:
        return False
    return ClientError({"Error": {"Code": code, "Message": str(error.get("Message"))}}, "BatchExecuteStatement")

"""A deletion that says who and why: a DeleteItem alone carries no attributes, so nothing could travel with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.refusals import item_of_failed_condition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from patterns.historic.attribution import SignedAttributes


def sign_and_delete(
    client: DynamoDBClient,
    table_name: str,
    key: Mapping[str, Any],
    attributes: SignedAttributes,
    *,
    actor: str,
    reason: str,
    change_id: str,
    at_ms: int,
) -> None:
    """Delete an item in two writes: the first signs and announces the deletion, the second deletes what was announced.

    The history then holds two versions, the announcement and the tombstone, both signed. If the second write does not
    happen, repeat the call with the same arguments; if somebody wrote in between, the deletion does not happen.

    Parameters
    ----------
    client, table_name, key
        The item, which must exist.
    attributes
        Names of the signature's attributes.
    actor, reason, change_id, at_ms
        The signature; a new id for each deletion.

    Raises
    ------
    botocore.exceptions.ClientError
        ``ConditionalCheckFailedException``: the item is not there, or was written in between.
    """
    signature = attributes.sign(actor, reason, change_id, at_ms) | {attributes.deletion_mark: {"S": change_id}}
    names = {f"#n{place}": name for place, name in enumerate(signature)}
    hash_key = next(iter(key))
    client.update_item(
        TableName=table_name,
        Key=dict(key),
        UpdateExpression="SET " + ", ".join(f"{sign} = {sign.replace('#n', ':v')}" for sign in names),
        ConditionExpression="attribute_exists(#key)",
        ExpressionAttributeNames={**names, "#key": hash_key},
        ExpressionAttributeValues={sign.replace("#n", ":v"): signature[name] for sign, name in names.items()},
    )
    try:
        client.delete_item(
            TableName=table_name,
            Key=dict(key),
            ConditionExpression="#id = :id",
            ExpressionAttributeNames={"#id": attributes.change_id},
            ExpressionAttributeValues={":id": {"S": change_id}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except ClientError as error:
        # botocore repeats a request whose answer was lost: then the item is gone already.
        if item_of_failed_condition(error) != {}:
            raise

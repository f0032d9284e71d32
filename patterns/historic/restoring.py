"""Brings an item back to an earlier version: as one more write, signed, and only if nobody else wrote meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from patterns.dynamodb.refusals import item_of_failed_condition
from patterns.historic.errors import NothingToRestoreError, RestoreConflictError
from patterns.historic.images import same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import PutItemInputTypeDef

    from patterns.historic.images import Image
    from patterns.historic.item_key import ItemKeys
    from patterns.historic.version import Version


def restoring_put(
    table_name: str, keys: ItemKeys, *, wanted: Version, latest: Version, overlay: Mapping[str, Any]
) -> PutItemInputTypeDef:
    """Return the PutItem that makes an item what it was, for `restore` or a transaction of your own.

    Parameters
    ----------
    table_name
        The source table.
    keys
        Its keys.
    wanted
        The version to return to.
    latest
        The item's last version: every attribute it left must still be as it was, or, after a deletion, the item must
        still be absent.
    overlay
        Attributes of the new write itself, in DynamoDB's form: its signature, a raised version number.

    Raises
    ------
    NothingToRestoreError
        `wanted` is a tombstone, or the item is already as it was then.
    ImageOmittedError
        One of the images was too large to keep.
    """
    image = wanted.after
    if image is None:
        raise NothingToRestoreError(f"version {wanted.label} is a deletion: there is no item to restore")
    if wanted.label == latest.label:
        raise NothingToRestoreError(f"version {wanted.label} is the last one: the item is what it was then")
    left: Image | None = latest.after
    item = {**image, **overlay}
    if left is None:
        return {
            "TableName": table_name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#hash)",
            "ExpressionAttributeNames": {"#hash": keys.hash_key},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    names = {f"#n{place}": name for place, name in enumerate(sorted(left))}
    return {
        "TableName": table_name,
        "Item": item,
        "ConditionExpression": " AND ".join(f"{sign} = {sign.replace('#n', ':v')}" for sign in names),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {sign.replace("#n", ":v"): left[name] for sign, name in names.items()},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def restore(
    client: DynamoDBClient,
    table_name: str,
    keys: ItemKeys,
    *,
    wanted: Version,
    latest: Version,
    overlay: Mapping[str, Any],
) -> Image:
    """Write an item as it was; parameters and further errors as for `restoring_put`.

    Done twice, it is done once: the same call again finds the item as it left it.

    Returns
    -------
    Image
        The item as it now is.

    Raises
    ------
    RestoreConflictError
        The item changed since `latest`; nothing was written.
    """
    put = restoring_put(table_name, keys, wanted=wanted, latest=latest, overlay=overlay)
    restored = dict(put["Item"])
    try:
        client.put_item(**put)
    except ClientError as error:
        stored = item_of_failed_condition(error)
        if stored is None:
            raise
        # botocore repeats a request whose answer was lost: then the item is what this very call made of it.
        if not same(dict(stored), restored):
            text = f"{latest.collection} {latest.item} is no longer as version {latest.label} left it"
            raise RestoreConflictError(text) from error
    return restored

"""The bank's teller: moves gold on an account, and signs every move."""

from __future__ import annotations

import os
from time import time_ns
from typing import TYPE_CHECKING, Any

from patterns.dynamodb.client import dynamodb_client
from patterns.historic import SignedAttributes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_accounts_table = os.environ["ACCOUNTS_TABLE"]
_signature = SignedAttributes()


def handler(event: dict[str, Any], context: LambdaContext) -> int:
    """Change an account and return its new balance.

    Parameters
    ----------
    event
        ``{"guild": …, "account": …, "amount": gold pieces, negative to take, "player": …, "reason": …}``.
    context
        Its request id is the change's id.
    """
    signed = _signature.sign(event["player"], event["reason"], context.aws_request_id, time_ns() // 1_000_000)
    names = {f"#n{place}": name for place, name in enumerate(signed)}
    values: dict[str, Any] = {f":v{place}": value for place, value in enumerate(signed.values())}
    answer = dynamodb_client().update_item(
        TableName=_accounts_table,
        Key={"guild": {"S": event["guild"]}, "account": {"S": event["account"]}},
        UpdateExpression="ADD balance :amount SET " + ", ".join(f"#n{n} = :v{n}" for n in range(len(names))),
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={":amount": {"N": str(event["amount"])}, **values},
        ReturnValues="UPDATED_NEW",
    )
    updated: dict[str, Any] = answer["Attributes"]
    return int(updated["balance"]["N"])

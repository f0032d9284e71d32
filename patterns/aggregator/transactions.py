"""One attempt at a transaction, with its refusal as a value, and the waits between attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, HTTPClientError

from patterns.dynamodb.transient import TRANSIENT_ERRORS, TRANSIENT_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

MOST_ACTIONS = 100
MOST_BYTES = 4_000_000
"""DynamoDB's limits of one transaction."""

_FIRST_WAIT_S = 0.02
_LONGEST_WAIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a transaction was not written.

    `failed` maps the positions of the actions whose condition failed to their stored items, an empty one if there is
    none (the actions must ask for the item). With no failed condition it was a conflict, a throttle or a lost answer.
    """

    failed: Mapping[int, Mapping[str, Any]]


def attempt(client: DynamoDBClient, actions: Sequence[TransactWriteItemTypeDef]) -> Refusal | None:
    """Write a transaction; None if it is written.

    Raises
    ------
    botocore.exceptions.ClientError
        What no further attempt can change.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except HTTPClientError:
        return Refusal({})
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in TRANSIENT_ERRORS:
            return Refusal({})
        reasons = cast("list[Mapping[str, Any]]", error.response.get("CancellationReasons", []))
        codes = {reason.get("Code", "None") for reason in reasons} - {"None"}
        if not codes or codes - TRANSIENT_REASONS - {"ConditionalCheckFailed"}:
            raise
        return Refusal(
            {
                position: reason.get("Item", {})
                for position, reason in enumerate(reasons)
                if reason.get("Code") == "ConditionalCheckFailed"
            }
        )
    return None


def wait(attempts: int, sleep: Callable[[float], None], random: Callable[[], float]) -> None:
    """Wait after so many attempts without progress: full jitter, at most a second."""
    sleep(random() * min(_FIRST_WAIT_S * 2**attempts, _LONGEST_WAIT_S))

"""Bounded retries of a call that collided with a transaction, or was done in part.

botocore retries throttled requests and broken connections by itself. What it does not retry are the collisions of
transactions, which DynamoDB leaves to the caller:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from random import random
from time import sleep
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own name
    HTTPClientError,
)

from functions.api.problems import unavailable
from patterns.dynamodb.transient import TRANSIENT_ERRORS, TRANSIENT_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

ATTEMPTS = 5
"""Attempts in all: with waits of 0..25, 0..50, 0..100, 0..200 ms between them, under 0.2 s on average."""

_FIRST_WAIT_S = 0.025
_COLLIDED = frozenset({"TransactionConflictException"})
# What is left when botocore has used up its own retries.
_OVERLOADED = TRANSIENT_ERRORS - _COLLIDED


class UnfinishedError(Exception):
    """Raised by a call when DynamoDB has done a part of it and asks to be called again for the rest."""


def with_retries(
    call: Callable[[], _Result],
    *,
    wait: Callable[[float], None] = sleep,
    jitter: Callable[[], float] = random,
) -> _Result:
    """Make a DynamoDB call until it is decided.

    Parameters
    ----------
    call
        Makes one attempt. Must be idempotent: an attempt whose answer was lost may have succeeded.
    wait
        Sleeps for so many seconds.
    jitter
        Returns a number in [0, 1): full jitter, so that those who collided do not collide again.

    Returns
    -------
    What `call` returns.

    Raises
    ------
    Problem
        503, no attempt was decided, or botocore's retries against throttling and lost connections are used up.
    botocore.exceptions.ClientError
        Any answer that another attempt would not change, such as a failed condition.
    """
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _OVERLOADED:
                break
            if not _has_collided(error):
                raise
        except UnfinishedError:
            pass
        except (HTTPClientError, ConnectionError):
            break
        if attempt < ATTEMPTS - 1:
            wait(_FIRST_WAIT_S * 2**attempt * jitter())
    raise unavailable()


def condition_failed(error: ClientError) -> bool:
    """Tell whether a write, or a transaction, was refused because a condition did not hold."""
    if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
        return True
    return "ConditionalCheckFailed" in _reasons(error)


def _has_collided(error: ClientError) -> bool:
    code = error.response.get("Error", {}).get("Code", "")
    if code != "TransactionCanceledException":
        return code in _COLLIDED
    reasons = _reasons(error)
    # A failed condition decides the transaction, whatever else happened to its other items.
    return bool(reasons) and reasons <= TRANSIENT_REASONS


def _reasons(error: ClientError) -> set[str]:
    # An item that was not to blame for the cancellation has the reason "None".
    return {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])} - {"None"}

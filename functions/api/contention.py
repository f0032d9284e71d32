"""Bounded retries of a call that collided with a transaction, or was done in part.

botocore retries throttled requests and broken connections by itself. What it does not retry are the collisions of
transactions, which DynamoDB leaves to the caller:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from functions.api.problems import unavailable
from patterns.dynamodb.refusals import condition_failed, error_code
from patterns.dynamodb.retries import JITTER, Retries
from patterns.dynamodb.transient import LOST_ANSWERS, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ATTEMPTS", "UnfinishedError", "condition_failed", "with_retries"]

_Result = TypeVar("_Result")

ATTEMPTS = 5
"""Attempts in all: with waits of 0..25, 0..50, 0..100, 0..200 ms between them, under 0.2 s on average."""

_COLLISIONS = frozenset({"TransactionConflictException", "TransactionCanceledException"})
# All other trouble has outlasted botocore's own retries: the player is told at once, not after another second or two.


class UnfinishedError(Exception):
    """Raised by a call when DynamoDB has done a part of it and asks to be called again for the rest."""


def with_retries(
    call: Callable[[], _Result],
    *,
    wait: Callable[[float], None] = sleep,
    jitter: Callable[[], float] = JITTER,
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
    for _ in Retries(sleep=wait, random=jitter, attempts=ATTEMPTS, first_wait_ms=25):
        try:
            return call()
        except UnfinishedError:
            pass
        except (ClientError, *LOST_ANSWERS) as error:
            if not is_transient(error):
                raise
            if error_code(error) not in _COLLISIONS:
                break
    raise unavailable()

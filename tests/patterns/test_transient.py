"""Which errors another try may overcome: one answer for all that retries."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from patterns.dynamodb.retries import Retries
from patterns.dynamodb.transient import is_transient

CONFLICT, THROTTLED, FAILED, NONE = "TransactionConflict", "ThrottlingError", "ConditionalCheckFailed", "None"


def refused(code: str, *reasons: str) -> ClientError:
    response = {"Error": {"Code": code}, "CancellationReasons": [{"Code": reason} for reason in reasons]}
    return ClientError(response, "TransactWriteItems")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (refused("ThrottlingException"), True),
        (refused("TransactionConflictException"), True),
        (refused("ConditionalCheckFailedException"), False),
        (refused("ValidationException"), False),
        (refused("TransactionCanceledException", NONE, CONFLICT, THROTTLED), True),
        (refused("TransactionCanceledException", CONFLICT, FAILED), False),
        (refused("TransactionCanceledException"), False),
        (ReadTimeoutError(endpoint_url="https://dynamodb"), True),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), True),
        (NoCredentialsError(), False),
        (ValueError("a bug"), False),
    ],
)
def test_an_error_is_transient_if_the_same_call_may_succeed_later(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient
    tries: list[int] = []

    def call() -> None:
        tries.append(1)
        raise error

    slept: list[float] = []
    with pytest.raises(type(error)):
        Retries(sleep=slept.append, random=lambda: 0.5, attempts=4, longest_wait_ms=30).call(call)
    assert slept == ([0.01, 0.015, 0.015] if transient else [])
    assert len(tries) == len(slept) + 1


@pytest.mark.parametrize("name", ["attempts", "first_wait_ms", "longest_wait_ms"])
def test_impossible_retries_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = 0: must be at least 1"):
        Retries(sleep=print, random=lambda: 0.0, **{name: 0})

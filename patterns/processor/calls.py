"""Bounded retries of single DynamoDB calls, and what a refused write was refused for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from botocore.exceptions import ClientError, HTTPClientError

from patterns.dynamodb.transient import TRANSIENT_ERRORS, TRANSIENT_REASONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.processor.settings import Random, Sleep

_Result = TypeVar("_Result")

_ATTEMPTS = 5
_FIRST_WAIT_S = 0.025  # waits of 0..25, 0..50, 0..100, 0..200 ms: 0.2 s on average in all


def with_retries(call: Callable[[], _Result], sleep: Sleep, random: Random) -> _Result:
    """Make a call that may be repeated until it is decided.

    botocore retries throttling and broken connections by itself, but not the collisions of transactions.

    Raises
    ------
    botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError
        What another attempt would not change, or the last attempt's trouble.
    """
    for attempt in range(_ATTEMPTS - 1):
        try:
            return call()
        except (ClientError, HTTPClientError) as error:
            if not is_transient(error):
                raise
        sleep(_FIRST_WAIT_S * 2**attempt * random())
    return call()


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed a moment later; a lost answer counts."""
    if not isinstance(error, ClientError):
        return isinstance(error, HTTPClientError)
    code = error_code(error)
    if code != "TransactionCanceledException":
        return code in TRANSIENT_ERRORS
    codes = {reason.get("Code", "None") for reason in cancellation_reasons(error)} - {"None"}
    # A failed condition decides the transaction, whatever else happened to its other actions.
    return bool(codes) and codes <= TRANSIENT_REASONS


def is_overload(error: ClientError) -> bool:
    """Whether DynamoDB is in trouble by itself, whatever it was asked for."""
    return error_code(error) in TRANSIENT_ERRORS


def error_code(error: ClientError) -> str:
    """Return the error's code, such as ``ConditionalCheckFailedException``."""
    return error.response.get("Error", {}).get("Code", "")


def cancellation_reasons(error: ClientError) -> list[dict[str, Any]]:
    """Return why a transaction was cancelled, one reason an action, in order."""
    return cast("list[dict[str, Any]]", error.response.get("CancellationReasons", []))


def item_of_failed_condition(error: ClientError) -> dict[str, Any] | None:
    """Return the stored item that made the condition fail; empty if there is none stored; None for other errors.

    Looks at a single write, or the first action of a transaction; either must ask for
    ``ReturnValuesOnConditionCheckFailure``.
    """
    if error_code(error) == "ConditionalCheckFailedException":
        return cast("dict[str, Any]", cast("Any", error.response).get("Item", {}))
    reasons = cancellation_reasons(error)
    if reasons and reasons[0].get("Code") == "ConditionalCheckFailed":
        return cast("dict[str, Any]", reasons[0].get("Item", {}))
    return None

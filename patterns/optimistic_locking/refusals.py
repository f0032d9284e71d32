"""What DynamoDB's errors say about a write: refused for good, worth another try, or perhaps done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own name
    HTTPClientError,
)

from patterns.dynamodb.transient import TRANSIENT_ERRORS, TRANSIENT_REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def condition_failed(error: Exception) -> bool:
    """Tell whether a single write's condition did not hold."""
    return _code(error) == "ConditionalCheckFailedException"


def stored_item(error: Exception) -> Mapping[str, Any] | None:
    """Return the item that came with a failed condition, ``None`` if none was stored."""
    return cast("Mapping[str, Any] | None", _response(error).get("Item"))


def cancellation_reasons(error: Exception) -> Sequence[Mapping[str, Any]]:
    """Return why a transaction was cancelled, one reason an action; none if it is another error."""
    return cast("Sequence[Mapping[str, Any]]", _response(error).get("CancellationReasons", []))


def is_transient(error: Exception) -> bool:
    """Tell whether another try may succeed: throttled, collided with a transaction, or left without an answer."""
    if isinstance(error, HTTPClientError | ConnectionError):
        return True
    if _code(error) == "TransactionCanceledException":
        codes = {reason.get("Code", "None") for reason in cancellation_reasons(error)} - {"None"}
        return bool(codes) and codes <= TRANSIENT_REASONS
    return _code(error) in TRANSIENT_ERRORS


def answer_was_lost(error: Exception) -> bool:
    """Tell whether an earlier try may have taken place: no answer came, or botocore tried more than once."""
    if not isinstance(error, ClientError):
        return True
    return bool(_response(error).get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _code(error: Exception) -> str:
    return _response(error).get("Error", {}).get("Code", "")


def _response(error: Exception) -> dict[str, Any]:
    return cast("dict[str, Any]", error.response) if isinstance(error, ClientError) else {}

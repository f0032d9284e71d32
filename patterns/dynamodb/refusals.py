"""What is in the errors that DynamoDB's calls raise; any other exception has none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def error_code(error: Exception) -> str:
    """Return an error's code, such as ``ConditionalCheckFailedException``; empty if no answer came."""
    return _response(error).get("Error", {}).get("Code", "")


def cancellation_reasons(error: Exception) -> Sequence[Mapping[str, Any]]:
    """Return why a transaction was cancelled, one reason for each of its actions; empty for any other error."""
    return _response(error).get("CancellationReasons", [])


def cancellation_codes(error: Exception) -> list[str]:
    """Return the codes of `cancellation_reasons`; an action that was not to blame has the code ``None``, as text."""
    return [reason.get("Code", "None") for reason in cancellation_reasons(error)]


def condition_failed(error: Exception) -> bool:
    """Tell whether a condition did not hold, of a single write or of any action of a transaction."""
    return error_code(error) == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in cancellation_codes(
        error
    )


def item_of_failed_condition(error: Exception) -> Mapping[str, Any] | None:
    """Return the stored item that made a condition fail; empty if none is stored; None for other errors.

    Looks at a single write, or the first action of a transaction; either must ask for
    ``ReturnValuesOnConditionCheckFailure``.
    """
    if error_code(error) == "ConditionalCheckFailedException":
        return _response(error).get("Item", {})
    if cancellation_codes(error)[:1] == ["ConditionalCheckFailed"]:
        return cancellation_reasons(error)[0].get("Item", {})
    return None


def answer_was_lost(error: Exception) -> bool:
    """Tell whether an earlier try may have taken place: no answer came, or botocore tried more than once."""
    if not isinstance(error, ClientError):
        return True
    return bool(_response(error).get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _response(error: Exception) -> dict[str, Any]:
    return cast("dict[str, Any]", error.response) if isinstance(error, ClientError) else {}

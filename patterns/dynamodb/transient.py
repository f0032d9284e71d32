"""Which of a DynamoDB call's errors another try may overcome, once botocore has used up its own retries."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import (
    ConnectionError,  # noqa: A004  # botocore's own name
    HTTPClientError,
)

from patterns.dynamodb.refusals import cancellation_codes, error_code

TRANSIENT_ERRORS: Final = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Error codes of a call: throttled, or collided with a transaction (which botocore does not retry)."""

TRANSIENT_REASONS: Final = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})
"""Codes of a cancelled transaction's reasons: TransactWriteItems, Amazon DynamoDB API Reference."""

LOST_ANSWERS: Final = (HTTPClientError, ConnectionError)
"""What botocore raises when no answer came: the call may have done its work or not."""


def is_transient(error: Exception) -> bool:
    """Tell whether the same call may succeed a moment later.

    It was throttled, collided with a transaction, or its answer was lost. A cancelled transaction is transient if all
    its reasons are: a failed condition decides it, whatever else happened to its other actions.
    """
    if error_code(error) == "TransactionCanceledException":
        reasons = set(cancellation_codes(error)) - {"None"}
        return bool(reasons) and reasons <= TRANSIENT_REASONS
    return isinstance(error, LOST_ANSWERS) or error_code(error) in TRANSIENT_ERRORS

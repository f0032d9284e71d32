"""Which of DynamoDB's refusals another try may overcome, once botocore has used up its own retries."""

from __future__ import annotations

from typing import Final

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

"""What can come of writing a commit, and what of it is worth another try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own name
    HTTPClientError,
)

from functions.matching.tables import UnprocessedKeysError
from patterns.dynamodb.transient import TRANSIENT_ERRORS

if TYPE_CHECKING:
    from functions.matching.tables import StoredItem
    from market.commits import Commit
    from market.tables import Bid


class StaleBookError(Exception):
    """Somebody else committed since the book was read, or is committing: nothing was written, read again."""


@dataclass(eq=False)  # exceptions are compared and hashed by identity
class DisputedBidsError(Exception):
    """Bids of the commit are not stored as the PENDING bids their records say: nothing was written.

    Each comes with its stored status, None if no such bid is stored.
    """

    bids: list[tuple[Bid, str | None]]


@dataclass(eq=False)  # exceptions are compared and hashed by identity
class InvalidCommitError(Exception):
    """DynamoDB will never accept this commit: nothing was written. `bids` are the new bids that may be to blame."""

    bids: tuple[Bid, ...]
    reason: str


def cancellation(error: ClientError, commit: Commit) -> Exception:
    """Say what a failed TransactWriteItems call means; `error` itself if it means nothing more.

    Parameters
    ----------
    error
        As raised by the call; cancellation reasons are in the order of the actions, the bids' first.
    commit
        What the call was to write.
    """
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("ValidationException", "SerializationException"):
        return InvalidCommitError(commit.arrivals, str(error))
    if code != "TransactionCanceledException":
        return error
    reasons = error.response.get("CancellationReasons", [])
    codes = [reason.get("Code") for reason in reasons]
    arrivals = [
        (change.arrival, reason)
        for change, reason in zip(commit.bids, reasons, strict=False)
        if change.arrival is not None
    ]
    if "ValidationError" in codes:
        invalid = tuple(bid for bid, reason in arrivals if reason.get("Code") == "ValidationError")
        return InvalidCommitError(invalid or commit.arrivals, str(error))
    disputed = [
        (bid, cast("StoredItem", reason.get("Item"))["status"]["S"] if reason.get("Item") else None)
        for bid, reason in arrivals
        if reason.get("Code") == "ConditionalCheckFailed"
    ]
    # All other reasons (a condition on the book or the tape, TransactionConflict, throttling) ask for the same: wait a
    # little, read the book again, match again. A conflict usually means that what was read is out of date anyway.
    return DisputedBidsError(disputed) if disputed else StaleBookError(str(error))


def is_transient(error: Exception) -> bool:
    """Whether the same work may succeed a moment later. A lost answer counts: matching again finds out what it was."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in TRANSIENT_ERRORS
    return isinstance(error, (StaleBookError, UnprocessedKeysError, HTTPClientError, ConnectionError))

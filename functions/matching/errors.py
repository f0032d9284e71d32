"""What can come of writing a commit, and what of it is worth another try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from functions.matching.tables import UnprocessedKeysError
from patterns.dynamodb import transient
from patterns.dynamodb.refusals import cancellation_reasons, error_code

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from functions.matching.tables import StoredItem
    from market.matching.changes import Commit
    from market.tables import Bid, SellOrder


class StaleBookError(Exception):
    """Somebody else committed since the book was read, or is committing: nothing was written, read again."""


@dataclass(eq=False)  # exceptions are compared and hashed by identity
class DisputedOrdersError(Exception):
    """New orders of the commit are not stored as the PENDING orders they were taken for: nothing was written.

    Each comes with its stored item, None if no such order is stored.
    """

    orders: list[tuple[Bid | SellOrder, StoredItem | None]]


@dataclass(eq=False)  # exceptions are compared and hashed by identity
class InvalidCommitError(Exception):
    """DynamoDB will never accept this commit: nothing was written. `orders` are new and may be to blame."""

    orders: tuple[Bid | SellOrder, ...]
    reason: str


def cancellation(error: ClientError, commit: Commit) -> Exception:
    """Say what a failed TransactWriteItems call means; `error` itself if it means nothing more.

    Parameters
    ----------
    error
        As raised by the call; cancellation reasons are in the order of the actions, the orders' first.
    commit
        What the call was to write.
    """
    code = error_code(error)
    if code in ("ValidationException", "SerializationException"):
        return InvalidCommitError(commit.arrivals, str(error))
    if code != "TransactionCanceledException":
        return error
    reasons = cancellation_reasons(error)
    codes = [reason.get("Code") for reason in reasons]
    arrivals = [
        (change.arrival, reason)
        for change, reason in zip((*commit.bids, *commit.sell_orders), reasons, strict=False)
        if change.arrival is not None
    ]
    if "ValidationError" in codes:
        invalid = tuple(order for order, reason in arrivals if reason.get("Code") == "ValidationError")
        return InvalidCommitError(invalid or commit.arrivals, str(error))
    disputed = [
        (order, cast("StoredItem", reason.get("Item")) if reason.get("Item") else None)
        for order, reason in arrivals
        if reason.get("Code") == "ConditionalCheckFailed"
    ]
    # All other reasons (a condition on the book or the tape, TransactionConflict, throttling) ask for the same: wait a
    # little, read the book again, match again. A conflict usually means that what was read is out of date anyway.
    return DisputedOrdersError(disputed) if disputed else StaleBookError(str(error))


def is_transient(error: Exception) -> bool:
    """Whether the same work may succeed a moment later. A lost answer counts: matching again finds out what it was."""
    return isinstance(error, (StaleBookError, UnprocessedKeysError)) or transient.is_transient(error)

"""A transaction as it is stored: one item with lease, token, progress, attempts and history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from patterns.dynamodb.items import read_int, read_str
from patterns.dynamodb.texts import storable

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item
    from patterns.processor.state_codec import StateCodec

S = TypeVar("S")

KEY = "transaction_id"
DUE_INDEX = "due"
DUE_SHARD = "due_shard"
DUE_AT = "due_at_ms"
WAKE = "wake"
EXPIRES_AT = "expires_at_s"

_LONGEST_HISTORY = 40
_LONGEST_DETAIL = 300


class Status(StrEnum):
    """Where a transaction is."""

    RUNNING = "RUNNING"
    """Steps are under way, or wait for their turn."""
    COMPENSATING = "COMPENSATING"
    """A step was rejected or timed out; completed steps are being undone."""
    COMPLETED = "COMPLETED"
    """All steps are done. Final."""
    COMPENSATED = "COMPENSATED"
    """All that was done is undone. Final."""
    PARKED = "PARKED"
    """Attempts are used up; an operator must re-drive or abandon it."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """Something that happened.

    Attributes
    ----------
    event
        submitted, completed, failed, rejected, timed_out, compensated, parked, redriven, abandoned.
    step
        Name of the step; empty for what concerns the whole transaction.
    at_ms
        Epoch milliseconds.
    detail
        Error or reason; may be empty.
    """

    event: str
    step: str
    at_ms: int
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Transaction(Generic[S]):
    """Everything known about one transaction.

    Attributes
    ----------
    transaction_id, status, state
        What the submitter chose, where it is, and the steps' typed state.
    step
        The current step (the one to be undone while COMPENSATING); empty before the first claim and at the end.
    completed, undo
        Steps completed, in order; steps still to be undone, last one first to go.
    token
        Fencing token of the latest claim; also the number of claims.
    revision
        Number of writes by claim holders.
    attempts
        Tries of the current step since the last progress.
    slices
        How often the current step answered `More`.
    history
        The latest 40 events, oldest first.
    error
        Why it last failed or is being compensated; empty if it did not.
    due_at_ms
        When it will be looked at again (end of the lease, of a wait); for a parked one, since when. None at the end.
    owner, wake
        Id of the claim; what the next trigger is for. Empty if there is none.
    submitted_at_ms, step_started_at_ms, updated_at_ms
        Epoch milliseconds.
    """

    transaction_id: str
    status: Status
    state: S
    fingerprint: str
    submitted_at_ms: int
    step_started_at_ms: int
    updated_at_ms: int
    step: str = ""
    completed: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    token: int = 0
    revision: int = 0
    attempts: int = 0
    slices: int = 0
    history: tuple[HistoryEntry, ...] = ()
    error: str = ""
    parked_from: str = ""
    due_shard: str = ""
    due_at_ms: int | None = None
    owner: str = ""
    wake: str = ""
    expires_at_s: int | None = None

    def with_event(self, event: str, step: str, at_ms: int, detail: str = "") -> Transaction[S]:
        """Return the transaction with one more event in its history; the oldest give way."""
        entry = HistoryEntry(event, step, at_ms, storable(detail, _LONGEST_DETAIL))
        return replace(self, history=(*self.history, entry)[-_LONGEST_HISTORY:], updated_at_ms=at_ms)


def to_item(transaction: Transaction[S], codec: StateCodec[S]) -> Item:
    """Return the item to store; what is empty or zero by default is left out."""
    item: Item = {
        KEY: transaction.transaction_id,
        "status": transaction.status.value,
        "state": codec.encode(transaction.state),
        "fingerprint": transaction.fingerprint,
        "submitted_at_ms": transaction.submitted_at_ms,
        "step_started_at_ms": transaction.step_started_at_ms,
        "updated_at_ms": transaction.updated_at_ms,
        "token": transaction.token,
        "revision": transaction.revision,
        "attempts": transaction.attempts,
        "history": [_entry_to_map(entry) for entry in transaction.history],
    }
    optional: Item = {
        "step": transaction.step,
        "completed": list(transaction.completed),
        "undo": list(transaction.undo),
        "slices": transaction.slices,
        "error": storable(transaction.error, _LONGEST_DETAIL),
        "parked_from": transaction.parked_from,
        DUE_SHARD: transaction.due_shard,
        DUE_AT: transaction.due_at_ms,
        "owner": transaction.owner,
        WAKE: transaction.wake,
        EXPIRES_AT: transaction.expires_at_s,
    }
    return item | {name: value for name, value in optional.items() if value}


def from_item(item: Item, codec: StateCodec[S]) -> Transaction[S]:
    """Return the transaction an item holds.

    Raises
    ------
    StateError
        Its state is not of the codec's type.
    ItemCodecError
        Another attribute is missing or of another type.
    """
    history = cast("list[dict[str, Any]]", item.get("history", []))
    return Transaction(
        transaction_id=read_str(item, KEY),
        status=Status(read_str(item, "status")),
        state=codec.decode(item.get("state")),
        fingerprint=read_str(item, "fingerprint"),
        submitted_at_ms=read_int(item, "submitted_at_ms"),
        step_started_at_ms=read_int(item, "step_started_at_ms"),
        updated_at_ms=read_int(item, "updated_at_ms"),
        step=cast("str", item.get("step", "")),
        completed=tuple(cast("list[str]", item.get("completed", []))),
        undo=tuple(cast("list[str]", item.get("undo", []))),
        token=read_int(item, "token"),
        revision=read_int(item, "revision"),
        attempts=read_int(item, "attempts"),
        slices=cast("int", item.get("slices", 0)),
        history=tuple(HistoryEntry(e["event"], e["step"], e["at_ms"], e.get("detail", "")) for e in history),
        error=cast("str", item.get("error", "")),
        parked_from=cast("str", item.get("parked_from", "")),
        due_shard=cast("str", item.get(DUE_SHARD, "")),
        due_at_ms=cast("int | None", item.get(DUE_AT)),
        owner=cast("str", item.get("owner", "")),
        wake=cast("str", item.get(WAKE, "")),
        expires_at_s=cast("int | None", item.get(EXPIRES_AT)),
    )


def _entry_to_map(entry: HistoryEntry) -> Item:
    stored: Item = {"event": entry.event, "step": entry.step, "at_ms": entry.at_ms}
    return stored | {"detail": entry.detail} if entry.detail else stored

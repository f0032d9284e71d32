"""What can be wrong: the caller's input, with value and rule; or the world, with what it holds instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Value
    from patterns.optimistic_locking.versioned import Key, Versioned

_LONGEST_ECHO = 80


class OptimisticLockingError(Exception):
    """Any error of this pattern."""


class InvalidInputError(OptimisticLockingError, ValueError):
    """The caller passed something that can never work.

    Attributes
    ----------
    field
        What was wrong.
    value
        What was passed.
    rule
        What it must satisfy.
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} {rule}, got {value!r:.{_LONGEST_ECHO}}")
        self.field = field
        self.value = value
        self.rule = rule


class InvalidKeyError(InvalidInputError):
    """A key lacks an attribute, has one too many, or one of a type or size that no key has."""


class InvalidVersionError(InvalidInputError):
    """A version or a fencing token is not a whole number, or lies below the lowest there is."""


class InvalidItemError(InvalidInputError):
    """An item carries an attribute that the table keeps itself, or another key than the one it is written to."""


class InvalidAdjustmentError(InvalidInputError):
    """An adjustment changes nothing, changes an attribute twice or the key, or has a limit that limits nothing."""


class InvalidLeaseError(InvalidInputError):
    """A lease's duration is not at least one millisecond, or its holder has no name."""


class InvalidBackoffError(InvalidInputError):
    """A retry limit or a wait is out of range."""


class EnvironmentVariableError(InvalidInputError):
    """An environment variable that the component sets is missing."""


class MissingItemError(OptimisticLockingError, LookupError):
    """There is no item to update.

    Attributes
    ----------
    key
        Where none is.
    """

    def __init__(self, key: Key) -> None:
        super().__init__(f"no item is stored under {dict(key)!r}")
        self.key = key


class ConflictError(OptimisticLockingError):
    """The stored item is not what the write was based on. Nothing was written.

    Attributes
    ----------
    key
        The item's key.
    expected
        Version the write was based on; ``None`` if there should have been no item.
    current
        The item as it was stored at that moment, ``None`` if there was none. It came with the refusal: no second read.
    """

    def __init__(self, key: Key, expected: int | None, current: Versioned | None) -> None:
        wanted = "no item" if expected is None else f"version {expected}"
        found = "no item" if current is None else f"version {current.version}"
        super().__init__(f"{dict(key)!r}: the write was based on {wanted}, the table holds {found}")
        self.key = key
        self.expected = expected
        self.current = current


class AdjustmentRefusedError(OptimisticLockingError):
    """An adjustment would take a number below its floor, or a set beyond its size. Nothing was written.

    Attributes
    ----------
    key
        The item's key.
    current
        The item as it was stored at that moment, ``None`` if there was none. It came with the refusal: no read.
    """

    def __init__(self, key: Key, current: Versioned | None) -> None:
        found = "no item" if current is None else f"version {current.version}, whose numbers or sets do not allow it"
        super().__init__(f"{dict(key)!r}: the adjustment found {found}")
        self.key = key
        self.current = current


class OutcomeUnknownError(OptimisticLockingError):
    """A write's answer was lost, and others have written or deleted since: nobody can tell whether it took place.

    Attributes
    ----------
    key
        The item's key.
    current
        The item now, ``None`` if it is gone; the write is in its past or it is not, its content may tell.
    """

    def __init__(self, key: Key, current: Versioned | None) -> None:
        since = "been deleted" if current is None else f"moved on to version {current.version}"
        super().__init__(
            f"{dict(key)!r}: the answer to a write was lost and the item has since {since}; look into it before you "
            "write again"
        )
        self.key = key
        self.current = current


class TransactionConflictError(OptimisticLockingError):
    """Conditions of a transaction did not hold. Nothing was written.

    Attributes
    ----------
    failed
        Positions of the actions at fault, from 0.
    current
        Position → the item stored at that moment, ``None`` if there was none; only for actions on the versioned table.
    """

    def __init__(self, failed: tuple[int, ...], current: Mapping[int, Versioned | None]) -> None:
        super().__init__(f"conditions of the transaction's actions {list(failed)} did not hold")
        self.failed = failed
        self.current = current


class LeaseHeldError(OptimisticLockingError):
    """Somebody else holds the lease.

    Attributes
    ----------
    key
        The lease's key.
    holder
        Who holds it.
    token
        The holder's token.
    expires_at_ms
        When it may be taken over, epoch ms.
    """

    def __init__(self, key: Key, holder: Value, token: int, expires_at_ms: int) -> None:
        super().__init__(f"{dict(key)!r}: held by {holder!r} under token {token} until {expires_at_ms}")
        self.key = key
        self.holder = holder
        self.token = token
        self.expires_at_ms = expires_at_ms


class LeaseLostError(OptimisticLockingError):
    """The lease has expired, was released, or was taken over: stop, and write nothing more in its name.

    Attributes
    ----------
    key
        The lease's key.
    token
        The token that is no longer good.
    """

    def __init__(self, key: Key, token: int) -> None:
        super().__init__(f"{dict(key)!r}: token {token} is no longer the holder's")
        self.key = key
        self.token = token

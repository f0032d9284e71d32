"""One change of one item, tried until it holds."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.dynamodb.refusals import answer_was_lost
from patterns.dynamodb.transient import is_transient
from patterns.optimistic_locking.errors import ConflictError, InvalidItemError, OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.dynamodb.items import Item
    from patterns.optimistic_locking.backoff import Backoff
    from patterns.optimistic_locking.versioned import Key, Versioned


@dataclass(slots=True)
class Convergence:
    """The attempts of one change.

    All attempts write under one id: whichever of them took place, it is recognized by it.

    Attributes
    ----------
    key, write_id
        The item, and the id of the write.
    read
        Reads the item.
    put
        Writes an item in place of a version, ``None`` for a first one.
    backoff, sleep, random, on_conflict
        As in `VersionedTable`.
    failures
        Attempts that failed so far.
    unanswered_at
        Version under which a write was sent whose answer was lost, until the next version is seen.
    """

    key: Key
    write_id: str
    read: Callable[[], Versioned | None]
    put: Callable[[Item, int | None], Versioned]
    backoff: Backoff
    sleep: Callable[[float], object]
    random: Callable[[], float]
    on_conflict: Callable[[ConflictError], object]
    failures: int = 0
    unanswered_at: int | None = None

    def change_known(self, change: Callable[[Item | None], Item | None], known: Versioned) -> Versioned:
        """Change an item, the first attempt based on what the caller knows."""
        return self._run(change, known, known=True, began_at=known.version)

    def change_stored(self, change: Callable[[Item | None], Item | None]) -> Versioned:
        """Change an item, the first attempt based on a read."""
        return self._run(change, None, known=False, began_at=None)

    def change_unread(self, change: Callable[[Item | None], Item | None]) -> Versioned:
        """Change an item, the first attempt based on there being none."""
        return self._run(change, None, known=True, began_at=None)

    def _run(
        self,
        change: Callable[[Item | None], Item | None],
        current: Versioned | None,
        *,
        known: bool,
        began_at: int | None,
    ) -> Versioned:
        while True:
            if not known:
                try:
                    current = self.read()
                except Exception as error:
                    self._wait_out(error)
                    continue
                if current is None and self.unanswered_at:
                    raise OutcomeUnknownError(self.key, None)
                if current is not None and self._took_place(current):
                    return current
                began_at = _version(current) if began_at is None else began_at
            item = change(None if current is None else deepcopy(current.item))
            if item is None:
                return _left_alone(current)
            try:
                return self.put(item, None if current is None else current.version)
            except ConflictError as conflict:
                current = conflict.current
                if current is not None and self._took_place(current):
                    return current
                if began_at is None:
                    # Nothing was known: that there is an item is an answer, not a collision.
                    began_at, known = _version(current), True
                    continue
                self.on_conflict(conflict)
                rival_writes = _version(current) - began_at
                self._wait(conflict, rival_writes)
                # One rival, once: an accident, and what came with the conflict is most likely still true after the
                # wait. In a crowd it is not.
                known = self.failures == 1 and rival_writes <= 1
            except Exception as error:
                if answer_was_lost(error) and self.unanswered_at is None:
                    self.unanswered_at = _version(current)
                self._wait_out(error)
                known = False

    def _wait_out(self, error: Exception) -> None:
        if not is_transient(error):
            raise error
        self._wait(error, rival_writes=1)

    def _wait(self, error: Exception, rival_writes: int) -> None:
        self.failures += 1
        if self.failures == self.backoff.attempts:
            raise error
        self.sleep(self.backoff.wait_s(self.failures, rival_writes, self.random()))

    def _took_place(self, current: Versioned) -> bool:
        """Tell whether the stored item is this change's result."""
        if current.write_id == self.write_id:
            return True
        if self.unanswered_at is not None:
            if current.version > self.unanswered_at + 1:
                raise OutcomeUnknownError(self.key, current)
            if current.version == self.unanswered_at + 1:
                self.unanswered_at = None  # a rival made the version that the lost write would have made
        return False


def _left_alone(current: Versioned | None) -> Versioned:
    if current is None:
        raise InvalidItemError("result of mutate", None, "must be an item where none is stored")
    return current


def _version(current: Versioned | None) -> int:
    return 0 if current is None else current.version

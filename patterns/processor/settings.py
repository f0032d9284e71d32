"""Figures of a processor, and how it learns of time and chance."""

from __future__ import annotations

from dataclasses import dataclass, fields
from time import time_ns
from typing import TYPE_CHECKING, TypeAlias

from patterns.environment import read_variables, variable_names
from patterns.processor.errors import InvalidSettingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

Clock: TypeAlias = "Callable[[], int]"
"""Returns the time in epoch milliseconds."""

Sleep: TypeAlias = "Callable[[float], None]"
"""Waits so many seconds."""

Random: TypeAlias = "Callable[[], float]"
"""Returns a number in [0, 1)."""

RemainingTime: TypeAlias = "Callable[[], int]"
"""Returns the milliseconds left in this invocation (Lambda: ``context.get_remaining_time_in_millis``)."""

_PREFIX = "PROCESSOR_"
_DAY_MS = 24 * 3600 * 1000
_LEASE_GRAIN_MS = 15_000


def now_ms() -> int:
    """Return the time in epoch milliseconds: the clock of production."""
    return time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorSettings:
    """Figures of a processor; the component sets ``PROCESSOR_`` + the field's name in capitals for each.

    Attributes
    ----------
    table
        Name of the transactions table.
    shards
        Partitions of the index of due transactions, 1..64. May be raised at any time, never lowered: the sweep visits
        the first `shards`.
    lease_ms
        How long a claim lasts, 1,000 or more. At least the function's timeout, so that no lease ends under a running
        invocation.
    max_attempts
        Tries of a step without progress before the transaction is parked, 1 or more.
    backoff_ms, longest_backoff_ms
        The wait after the nth failed try is random between 0 and backoff * 2^(n-1), at most the longest; 1 or more.
    wait_in_place_ms
        Waits up to this are slept through in the invocation; longer ones are left to the sweep. 0 or more.
    reserve_ms
        Time kept at the end of an invocation for saving progress and handing over, 0 or more.
    retention_ms
        How long a finished transaction is kept (time to live), 0 for ever.

    Raises
    ------
    InvalidSettingError
        A figure lies outside its range.
    """

    table: str
    shards: int = 4
    lease_ms: int = 65_000
    max_attempts: int = 5
    backoff_ms: int = 200
    longest_backoff_ms: int = 15 * 60_000
    wait_in_place_ms: int = 1_000
    reserve_ms: int = 1_000
    retention_ms: int = 30 * _DAY_MS

    def __post_init__(self) -> None:
        lowest = {"lease_ms": 1_000, "wait_in_place_ms": 0, "reserve_ms": 0, "retention_ms": 0}
        for field in fields(self):
            value: object = getattr(self, field.name)
            if field.name == "table":
                if type(value) is not str or not value:
                    raise InvalidSettingError("table", value, "must be the name of a table")
            elif type(value) is not int or value < lowest.get(field.name, 1):
                raise InvalidSettingError(
                    field.name, value, f"must be a whole number, {lowest.get(field.name, 1)} or more"
                )
        if self.shards > 64:
            raise InvalidSettingError("shards", self.shards, "must be at most 64")

    def lease_end_ms(self, at_ms: int) -> int:
        """Return when a lease taken now ends: after `lease_ms`, rounded up to a quarter of a minute.

        A transaction is submitted, claimed and handed over within seconds: rounded, its due time stays the same, and
        the index is not written. The sweep comes once a minute anyway.
        """
        return -(-(at_ms + self.lease_ms) // _LEASE_GRAIN_MS) * _LEASE_GRAIN_MS

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """Return the names of the environment variables, e.g. ``("PROCESSOR_TABLE", …)``."""
        return variable_names(cls, _PREFIX)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; only PROCESSOR_TABLE must be set.

        Parameters
        ----------
        environ
            Usually `os.environ`.

        Raises
        ------
        InvalidSettingError
            A variable is missing, no whole number, or outside its range.
        """
        return cls(**read_variables(cls, environ, InvalidSettingError, prefix=_PREFIX))

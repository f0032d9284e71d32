"""The one place where a function reads the wall clock; everything else gets a `Clock` passed in."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Clock: TypeAlias = "Callable[[], int]"
"""Returns the time in epoch milliseconds."""


def now_ms() -> int:
    """Return the time in epoch milliseconds."""
    return time_ns() // 1_000_000

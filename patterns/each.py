"""How work on several things, which share nothing, is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Each(Protocol):
    """Calls a function with each item and returns the results in the items' order.

    `map` does it one after the other, an executor's ``map`` side by side.
    """

    def __call__(self, function: Callable[[_In], _Out], items: Iterable[_In], /) -> Iterable[_Out]: ...

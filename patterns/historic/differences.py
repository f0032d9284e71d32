"""What differs between two images of an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from patterns.historic.images import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patterns.historic.images import Image


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute that differs.

    Attributes
    ----------
    path
        Names from the item down to the attribute, through maps; lists and sets are compared as a whole.
    before, after
        Its values in DynamoDB's form, such as ``{"N": "5"}``; ``None`` where it is not there.
    """

    path: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def diff(before: Image | None, after: Image | None) -> tuple[Difference, ...]:
    """Return what differs, by name.

    Parameters
    ----------
    before, after
        Two images; ``None`` is an item that does not exist.
    """
    return tuple(_differences((), before or {}, after or {}))


def _differences(path: tuple[str, ...], before: Image, after: Image) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one is not None and other is not None and "M" in one and "M" in other:
            yield from _differences((*path, name), one["M"], other["M"])
        elif one is None or other is None or canonical(one) != canonical(other):
            yield Difference((*path, name), one, other)

"""A page of an audit's part: what was found on it, and where the part goes on."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from market.errors import InvalidFieldError, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.auditing.settlement import Finding

State: TypeAlias = "Mapping[str, Any]"
"""Where a part is, and what it has summed up so far: JSON values. Empty at the beginning."""

OVERDUE_MS = 180_000
"""Time after which a commit should be settled: the sweep finds what was left behind within a minute, a lease ends
within another."""

MOST_TRIES = 3
"""How often something that changes while it is compared is compared again."""

_LONGEST_CURSOR = 8_000  # characters; API Gateway takes 10,240 bytes of request line and headers
_LARGEST_STATE = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """Outcome of one request.

    Parameters
    ----------
    findings
        What is wrong.
    checked
        How many commits, orders, entries or items were looked at.
    undecided
        What could not be compared because it did not stand still.
    next
        Where the part goes on; None if it is done.
    """

    findings: list[Finding] = field(default_factory=list["Finding"])
    checked: int = 0
    undecided: list[str] = field(default_factory=list[str])
    next: State | None = None


class Part(Protocol):
    """One part of the audit."""

    def __call__(self, of: str, state: State) -> Page:
        """Audit the next page of a material, a player, or of all."""
        ...


def encode_state(state: State) -> str:
    """Return a state as text for an address."""
    raw = json.dumps(state, separators=(",", ":")).encode()
    return urlsafe_b64encode(zlib.compress(raw, 9)).rstrip(b"=").decode("ascii")


def decode_state(query: Mapping[str, str]) -> State:
    """Return the state in the parameter ``next``; an empty one without it.

    The states grant nothing: whoever may audit may read all of it anyway.

    Raises
    ------
    InvalidFieldError
        It is none.
    """
    text = query.get("next")
    if text is None:
        return {}
    try:
        packed = urlsafe_b64decode(text[:_LONGEST_CURSOR].encode("ascii") + b"=" * (-len(text) % 4))
        state: object = json.loads(zlib.decompressobj().decompress(packed, _LARGEST_STATE))
    except (ValueError, zlib.error) as error:
        raise no_token(query) from error
    if not isinstance(state, dict):
        raise no_token(query)
    return cast("State", state)


def no_token(query: Mapping[str, str]) -> InvalidFieldError:
    """Return the error for a ``next`` that is none of this part's."""
    requirement = "the `next` of an earlier page of this same part"
    return InvalidFieldError("next", query.get("next"), Rule.PAGE_TOKEN, requirement)

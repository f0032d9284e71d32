"""A page of an audit's part: what was found on it, and where the part goes on."""

from __future__ import annotations

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from market.errors import InvalidFieldError, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from market.auditing.settlement import Finding

State: TypeAlias = "Mapping[str, Any]"
"""Where a part is, and what it has summed up so far: JSON values. Empty at the beginning."""

IsOver: TypeAlias = "Callable[[], bool]"
"""Whether a request has used up its time: asked between two steps of bounded size, after the first."""

BUDGET_MS = 10_000
"""Time after which a request begins no further step. The largest step takes some seconds: four looks at a history that
is a second behind; an HTTP API waits for 30."""

OVERDUE_MS = 180_000
"""Time after which a commit should be settled: the sweep finds what was left behind within a minute, a lease ends
within another."""

CLOCKS_DIFFER_MS = 60_000
"""At most, between whoever stamps an order and whoever stamps a commit."""

MOST_TRIES = 3
"""How often something that changes while it is compared is compared again."""

_LONGEST_CURSOR = 8_000  # characters; API Gateway takes 10,240 bytes of request line and headers
_LARGEST_STATE = 100_000
_DIGEST_BYTES = 12


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

    def __call__(self, of: str, state: State, is_over: IsOver) -> Page:
        """Audit the next page of a material, a player, or of all: one step at least, then until the time is over."""
        ...


def encode_state(state: State, scope: Sequence[str]) -> str:
    """Return a state as text for an address.

    Parameters
    ----------
    state
        The state.
    scope
        What is audited. Like a page token (`patterns.dynamodb.page_token`), the text is bound to it by a digest.
    """
    packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
    return urlsafe_b64encode(_digest(packed, scope) + packed).rstrip(b"=").decode("ascii")


def decode_state(query: Mapping[str, str], scope: Sequence[str]) -> State:
    """Return the state in the parameter ``next``; an empty one without it.

    The states grant nothing: whoever may audit may read all of it anyway.

    Raises
    ------
    InvalidFieldError
        It is none of this scope.
    """
    text = query.get("next")
    if text is None:
        return {}
    try:
        raw = urlsafe_b64decode(text[:_LONGEST_CURSOR].encode("ascii") + b"=" * (-len(text) % 4))
        packed = raw[_DIGEST_BYTES:]
        if raw[:_DIGEST_BYTES] != _digest(packed, scope):
            raise no_token(query)
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


def _digest(packed: bytes, scope: Sequence[str]) -> bytes:
    return sha256(json.dumps(list(scope)).encode() + packed).digest()[:_DIGEST_BYTES]

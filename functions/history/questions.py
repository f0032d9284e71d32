"""A question to the histories of some items that belong together: all versions, as of a time, between two times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_whole_number
from functions.api.problems import not_found
from market.errors import InvalidFieldError, Rule
from market.timestamps import parse_utc
from patterns.dynamodb.page_token import InvalidPageTokenError
from patterns.historic.errors import BeforeFirstVersionError, UnknownItemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from patterns.historic.history import History
    from patterns.historic.images import Image
    from patterns.historic.version import Version

_TIMES = ("as_of", "from", "to")
_LAST_MS = 10**15
_POSITION = re.compile(r"([0-9]{1,4})\.(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Strand:
    """One item whose versions are asked for: what it is called, where its history is, and its key."""

    part: str
    history: History
    key: Image


Render: TypeAlias = "Callable[[Strand, Version], dict[str, object]]"
"""A version, read with the image before it, as JSON."""


def answer(strands: Sequence[Strand], query: Mapping[str, str], render: Render) -> dict[str, object]:
    """Return the body of the answer to a question.

    Parameters
    ----------
    strands
        The items. Pages go through one after the other.
    query
        ``as_of``: the version of each item at a time. ``from``, ``to``: the versions between, by time. Else a page of
        all: ``limit``, ``next``.
    render
        Writes a version.

    Raises
    ------
    InvalidFieldError
        A malformed time, span, limit or page token.
    Problem
        404, no item had a version yet.
    """
    asked = _read_times(query)
    if "as_of" in asked:
        standing = [(strand, found) for strand in strands if (found := _as_of(strand, asked["as_of"])) is not None]
        if not standing:
            requirement = "a time at or after the first recorded version"
            raise not_found(InvalidFieldError("as_of", query["as_of"], Rule.FIRST_VERSION, requirement))
        return {"versions": [render(strand, version) for strand, version in standing], "next": None}
    if asked:
        found = [(strand, version) for strand in strands for version in _between(strand, asked)]
        found.sort(key=lambda each: each[1].at_ms)
        return {"versions": [render(strand, version) for strand, version in found], "next": None}
    return _page(strands, query, render)


def _as_of(strand: Strand, at_ms: int) -> Version | None:
    try:
        version = strand.history.as_of(strand.key, at_ms)
    except (BeforeFirstVersionError, UnknownItemError):
        return None
    return version if version.recovered else strand.history.version(strand.key, version.number)


def _between(strand: Strand, asked: Mapping[str, int]) -> tuple[Version, ...]:
    try:
        return strand.history.between(strand.key, asked.get("from", 0), asked.get("to", _LAST_MS))
    except UnknownItemError:
        return ()


def _page(strands: Sequence[Strand], query: Mapping[str, str], render: Render) -> dict[str, object]:
    limit = read_whole_number(query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
    number, token = _read_position(query, len(strands))
    found: list[dict[str, object]] = []
    while number < len(strands) and len(found) < limit:
        strand = strands[number]
        try:
            page = strand.history.versions(strand.key, limit=limit - len(found), token=token)
        except InvalidPageTokenError as error:
            raise _no_token(query) from error
        found += [render(strand, version) for version in page.versions]
        token = page.next
        if token is None:
            number += 1
    following = f"{number}.{token or ''}" if number < len(strands) else None
    return {"versions": found, "next": following}


def _read_position(query: Mapping[str, str], strands: int) -> tuple[int, str | None]:
    if "next" not in query:
        return 0, None
    position = _POSITION.fullmatch(query["next"])
    if position is None or int(position[1]) >= strands:
        raise _no_token(query)
    return int(position[1]), position[2] or None


def _no_token(query: Mapping[str, str]) -> InvalidFieldError:
    requirement = "the `next` of an earlier page of this same listing"
    return InvalidFieldError("next", query.get("next"), Rule.PAGE_TOKEN, requirement)


def _read_times(query: Mapping[str, str]) -> dict[str, int]:
    """Read the times of a request as epoch milliseconds."""
    times = {name: parse_utc(query[name], name) for name in _TIMES if name in query}
    if "as_of" in times and len(times) > 1:
        raise InvalidFieldError("as_of", query["as_of"], Rule.SPAN, "given without from and to")
    if times.get("to", _LAST_MS) < times.get("from", 0):
        raise InvalidFieldError("to", query["to"], Rule.SPAN, "at or after from")
    return times

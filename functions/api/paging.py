"""Query parameters of listings: page sizes and page tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.errors import InvalidFieldError, Rule
from patterns.dynamodb.page_token import InvalidPageTokenError, decode_page_token

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

DEFAULT_LIMIT = 50
"""Entries on a page, unless asked otherwise."""

HIGHEST_LIMIT = 100
"""Most entries on a page: the keys of one BatchGetItem."""


def read_whole_number(query: Mapping[str, str], name: str, *, default: int, highest: int) -> int:
    """Read a parameter that is a whole number from 1 to `highest`.

    Raises
    ------
    InvalidFieldError
        Rule ``page_size``.
    """
    text = query.get(name)
    if text is None:
        return default
    # Only plain digits, and few enough of them: int() would also take spaces, signs, underscores and other scripts.
    in_digits = text.isascii() and text.isdigit() and len(text) <= len(str(highest))
    if not in_digits or not 1 <= int(text) <= highest:
        raise InvalidFieldError(name, text, Rule.PAGE_SIZE, f"a whole number from 1 to {highest}")
    return int(text)


def read_position(query: Mapping[str, str], scope: Sequence[str], pattern: re.Pattern[str]) -> str | None:
    """Read where the page starts.

    Parameters
    ----------
    query
        Its parameter ``next`` is the token of the page before, absent for the first page.
    scope
        What is listed; see `patterns.dynamodb.page_token`.
    pattern
        How a position looks. The token's digest is no signature, so what is inside is checked like any input.

    Returns
    -------
    str | None
        Position of the last entry of the page before.

    Raises
    ------
    InvalidFieldError
        Rule ``page_token``.
    """
    token = query.get("next")
    if token is None:
        return None
    try:
        position = decode_page_token(token, scope)
    except InvalidPageTokenError:
        position = ""
    if not pattern.fullmatch(position):
        raise InvalidFieldError("next", token, Rule.PAGE_TOKEN, "the `next` of an earlier page of this same listing")
    return position

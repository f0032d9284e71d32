"""Times of requests: ISO 8601 in UTC, as answers write them."""

from __future__ import annotations

import re
from datetime import datetime

from market.errors import InvalidFieldError, Rule

_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII)


def parse_utc(text: str, field: str) -> int:
    """Read a time such as ``2026-11-21T08:00:00.007Z``; fractions of a second are optional.

    Parameters
    ----------
    text
        The time as written.
    field
        Name used in errors.

    Returns
    -------
    int
        Epoch milliseconds, 0 or more.

    Raises
    ------
    InvalidFieldError
        Rule ``time``.
    """
    try:
        moment = datetime.fromisoformat(text) if _UTC_TIME.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or moment.year < 1970:
        raise InvalidFieldError(field, text, Rule.TIME, "a time in UTC such as 2026-11-21T08:00:00.007Z")
    return round(moment.timestamp() * 1000)

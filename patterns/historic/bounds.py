"""What a question to a history may ask for: how many versions, of which time."""

from __future__ import annotations

from patterns.historic.errors import InvalidTimeError, InvalidVersionError

HIGHEST_LIMIT = 1000
"""Most versions of a page."""


def check_limit(limit: int) -> None:
    """Raise InvalidVersionError unless a page's limit is a whole number from 1 to 1000."""
    if type(limit) is not int or not 1 <= limit <= HIGHEST_LIMIT:
        raise InvalidVersionError(f"limit must be a whole number from 1 to {HIGHEST_LIMIT}, got {limit!r}")


def check_time(name: str, at_ms: int) -> None:
    """Raise InvalidTimeError unless a time is a whole number of epoch milliseconds from 0."""
    if type(at_ms) is not int or at_ms < 0:
        raise InvalidTimeError(f"{name} must be a whole number of epoch milliseconds from 0, got {at_ms!r}")

"""What a question to a history may ask for: how many versions, of which time, by whom."""

from __future__ import annotations

from patterns.historic.errors import InvalidActorError, InvalidTimeError, InvalidVersionError

HIGHEST_LIMIT = 1000
"""Most versions of a page."""

LONGEST_ACTOR = 500
"""Characters of an actor that are kept; at most 2000 bytes, and an index key has at most 2048."""


def check_limit(limit: int) -> None:
    """Raise InvalidVersionError unless a page's limit is a whole number from 1 to 1000."""
    if type(limit) is not int or not 1 <= limit <= HIGHEST_LIMIT:
        raise InvalidVersionError(f"limit must be a whole number from 1 to {HIGHEST_LIMIT}, got {limit!r}")


def check_time(name: str, at_ms: int) -> None:
    """Raise InvalidTimeError unless a time is a whole number of epoch milliseconds from 0."""
    if type(at_ms) is not int or at_ms < 0:
        raise InvalidTimeError(f"{name} must be a whole number of epoch milliseconds from 0, got {at_ms!r}")


def check_actor(actor: str) -> None:
    """Raise InvalidActorError unless an actor is a text of 1 to 500 characters: all that a version keeps of one."""
    if type(actor) is not str or not 1 <= len(actor) <= LONGEST_ACTOR:
        raise InvalidActorError(f"actor must be a text of 1 to {LONGEST_ACTOR} characters, got {actor!r:.80}")

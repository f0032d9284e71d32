"""What the component tells the recorder, as environment variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.historic.archive import Archive, Retention, s3_client
from patterns.historic.attribution import SignedAttributes
from patterns.historic.errors import ConfigurationError
from patterns.historic.item_key import ItemKeys

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_BUCKET = "-"
"""In the place of a bucket's name: there is no archive."""

_SIGNATURE = {
    "HISTORY_ACTOR_ATTRIBUTE": "actor",
    "HISTORY_REASON_ATTRIBUTE": "reason",
    "HISTORY_CHANGE_ID_ATTRIBUTE": "change_id",
    "HISTORY_CHANGED_AT_ATTRIBUTE": "changed_at_ms",
}


@dataclass(frozen=True, slots=True)
class HistoryEnvironment:
    """Where the history is and what it is of.

    Variables: ``HISTORY_TABLE``, ``HISTORY_SOURCE``, ``HISTORY_HASH_KEY``; optional ``HISTORY_RANGE_KEY``,
    ``HISTORY_ACTOR_ATTRIBUTE``, ``HISTORY_REASON_ATTRIBUTE``, ``HISTORY_CHANGE_ID_ATTRIBUTE``,
    ``HISTORY_CHANGED_AT_ATTRIBUTE``, and together ``HISTORY_ARCHIVE_BUCKET``, ``-`` for none, and
    ``HISTORY_HOT_DAYS``.
    """

    table_name: str
    keys: ItemKeys
    signature: SignedAttributes
    retention: Retention | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> HistoryEnvironment:
        """Read the variables, usually of `os.environ`.

        Raises
        ------
        ConfigurationError
            A required variable is missing or empty, or the days are no whole number from 7 to 36500.
        """
        for name in ("HISTORY_TABLE", "HISTORY_SOURCE", "HISTORY_HASH_KEY"):
            if not environ.get(name):
                raise ConfigurationError(f"environment variable {name} is missing: the recorder needs it")
        given = {field: environ[name] for name, field in _SIGNATURE.items() if environ.get(name)}
        return cls(
            environ["HISTORY_TABLE"],
            ItemKeys(environ["HISTORY_SOURCE"], environ["HISTORY_HASH_KEY"], environ.get("HISTORY_RANGE_KEY") or None),
            SignedAttributes(**given),
            retention_of(environ.get("HISTORY_ARCHIVE_BUCKET"), _days(environ.get("HISTORY_HOT_DAYS") or "0")),
        )


def archive_of(bucket: str | None) -> Archive | None:
    """Return the archive in a bucket; ``None`` for ``None``, an empty name or `NO_BUCKET`."""
    return Archive(s3_client(), bucket) if bucket and bucket != NO_BUCKET else None


def retention_of(bucket: str | None, hot_days: int) -> Retention | None:
    """Return the retention that the component's variables say; ``None`` without a bucket.

    Raises
    ------
    ConfigurationError
        The days are not 7..36500.
    """
    archive = archive_of(bucket)
    return None if archive is None else Retention(archive, hot_days)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ConfigurationError(f"environment variable HISTORY_HOT_DAYS={text!r} must be a whole number")
    return int(text)

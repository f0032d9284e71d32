"""What can be wrong with a question to a history, or with what it is asked to record."""

from __future__ import annotations


class HistoryError(Exception):
    """Base of everything this pattern raises; each text names the value and the rule."""


class InvalidItemKeyError(HistoryError, ValueError):
    """A key does not have exactly the source table's key attributes, each a text, a number or bytes."""


class InvalidVersionError(HistoryError, ValueError):
    """A version number is not a whole number from 1, or a page limit not one from 1 to 1000."""


class InvalidTimeError(HistoryError, ValueError):
    """A time is not a whole number of epoch milliseconds from 0, or a span ends before it starts."""


class InvalidActorError(HistoryError, ValueError):
    """An actor is not a text of 1 to 500 characters."""


class UnknownItemError(HistoryError, LookupError):
    """The history holds no version of the item."""


class UnknownVersionError(HistoryError, LookupError):
    """The item's history holds no version of this number."""


class MissingVersionError(UnknownVersionError):
    """The item has later versions, but this one is neither in the table nor in the archive: somebody deleted it."""


class BeforeFirstVersionError(HistoryError, LookupError):
    """The time lies before the item's first recorded version: what the item was then, the history cannot know."""


class ImageOmittedError(HistoryError, LookupError):
    """The version's image was too large to keep; its digest, author and time are there."""


class BeforeNotReadError(HistoryError, LookupError):
    """The image before this version is part of the version before, which this query did not read."""


class NothingToRestoreError(HistoryError, ValueError):
    """The version is a tombstone, or the item already is what it was then."""


class RestoreConflictError(HistoryError):
    """The item changed since its last recorded version: nothing was written; read its history again."""


class UnreadableRecordError(HistoryError, ValueError):
    """Not a record of a DynamoDB stream with new and old images."""


class ConfigurationError(HistoryError, ValueError):
    """An environment variable of the recorder is missing or malformed."""

"""Versions over HTTP: a strong ETag for each, and conditional requests as RFC 9110 has them.

An ETag holds the version and a digest of the key, so an `If-Match` is a write's condition without a read, and a tag of
another item matches nothing. It is no secret and grants nothing.
https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1, https://www.rfc-editor.org/rfc/rfc6585#section-3
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from patterns.optimistic_locking.backoff import Backoff
from patterns.optimistic_locking.errors import ConflictError, MissingItemError
from patterns.optimistic_locking.key_shape import check_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Value
    from patterns.optimistic_locking.table import Mutate, VersionedTable
    from patterns.optimistic_locking.versioned import Key, Versioned

_DIGEST_CHARACTERS = 16
_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
# Empty elements are to be ignored: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2
_TAG_LIST = re.compile(rf"[ \t,]*{_ENTITY_TAG.pattern}[ \t]*(?:,(?:[ \t]*{_ENTITY_TAG.pattern})?[ \t]*)*")
_OUR_TAG = re.compile(rf"(0|[1-9][0-9]{{0,17}})-([0-9a-f]{{{_DIGEST_CHARACTERS}}})")


@dataclass(frozen=True, slots=True)
class Written:
    """The request's precondition held: 200, with the new item and its ETag.

    Attributes
    ----------
    stored
        The item now.
    etag
        Its ETag, for the response header.
    status
        200.
    """

    stored: Versioned
    etag: str
    status: Literal[200] = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was refused, nothing was written.

    Attributes
    ----------
    status
        400 the header is no list of entity tags, 412 the precondition does not hold, 428 there is none.
    rule
        Why, for the response body.
    current
        The stored item, if the refusal came from the table and there is one.
    etag
        Its ETag, for the response header; ``None`` without `current`.
    """

    status: Literal[400, 412, 428]
    rule: str
    current: Versioned | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class IfMatch:
    """A well-formed precondition that may hold.

    Attributes
    ----------
    versions
        Versions of the item that it names; ``None`` for any, if only the item exists.
    """

    versions: frozenset[int] | None


def etag(key: Key, version: int) -> str:
    """Return the strong ETag of a version, with its quotes.

    Parameters
    ----------
    key
        The item's key.
    version
        At least 0.

    Raises
    ------
    InvalidVersionError
        A negative version.

    Examples
    --------
    >>> etag({"player": "ann"}, 7)
    '"7-c6db25d94d1aa0ce"'
    """
    check_number("version", version, 0)
    return f'"{version}-{_digest(key)}"'


def not_modified(if_none_match: str | None, key: Key, version: int) -> bool:
    """Tell whether a GET is answered by 304: its `If-None-Match` names this version, strong or weak, or is ``*``."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    tags = _tags(if_none_match) or ()
    return any(tag == etag(key, version) for _weak, tag in tags)


def read_if_match(if_match: str | None, key: Key) -> IfMatch | Refused:
    """Read a request's `If-Match`, without a call to the table.

    Parameters
    ----------
    if_match
        The header: one or more ETags from `etag`, ``*`` for any version of an item that exists, or ``None``.
    key
        The item the request is for.

    Returns
    -------
    IfMatch or Refused
        Refused with 428 without a header, 400 if it is malformed, 412 if it names no version of this item. A PUT with
        one version needs no read: pass it to `VersionedTable.replace`.
    """
    if if_match is None:
        return Refused(428, "the request must carry If-Match with the ETag of the version it is based on, or *")
    if if_match.strip() == "*":
        return IfMatch(None)
    tags = _tags(if_match)
    if tags is None:
        return Refused(400, "If-Match must be * or a comma-separated list of quoted entity tags")
    versions = _versions(tags, key)
    return IfMatch(versions) if versions else Refused(412, "If-Match names no version of this item")


def write_if_match(table: VersionedTable, key: Key, if_match: str | None, mutate: Mutate) -> Written | Refused:
    """Change an item if the request's `If-Match` holds.

    Parameters
    ----------
    table
        Where the item is.
    key
        Which item.
    if_match
        The header, as for `read_if_match`.
    mutate
        The change, as in `VersionedTable.update`.

    Returns
    -------
    Written or Refused
        At most one read and one write. A write that lost a race is refused with 412 and what is stored now; with ``*``
        it is tried again.

    Raises
    ------
    ConflictError
        With ``*``: all attempts collided.
    OutcomeUnknownError
        As for `VersionedTable.update`.
    """
    precondition = read_if_match(if_match, key)
    if isinstance(precondition, Refused):
        return precondition
    try:
        if precondition.versions is None:
            return _written(key, table.update(key, mutate))
        current = table.get(key)
        if current is None or current.version not in precondition.versions:
            return _stale(key, current)
        once = replace(table, backoff=Backoff(attempts=1))
        return _written(key, once.update(key, mutate, known=current))
    except ConflictError as conflict:
        if precondition.versions is None:
            raise
        return _stale(key, conflict.current)
    except MissingItemError:
        return _stale(key, None)


def _written(key: Key, stored: Versioned) -> Written:
    return Written(stored, etag(key, stored.version))


def _stale(key: Key, current: Versioned | None) -> Refused:
    if current is None:
        return Refused(412, "the item does not exist")
    return Refused(412, "the item has changed since that version", current, etag(key, current.version))


def _tags(header: str) -> list[tuple[bool, str]] | None:
    """Split a header into (weak, quoted tag), ``None`` if it is malformed."""
    if not _TAG_LIST.fullmatch(header):
        return None
    return [(bool(found[1]), f'"{found[2]}"') for found in _ENTITY_TAG.finditer(header)]


def _versions(tags: list[tuple[bool, str]], key: Key) -> frozenset[int]:
    """Versions of this item among the tags. If-Match compares strongly: a weak tag matches nothing."""
    ours = (_OUR_TAG.fullmatch(tag.strip('"')) for weak, tag in tags if not weak)
    return frozenset(int(found[1]) for found in ours if found is not None and found[2] == _digest(key))


def _digest(key: Mapping[str, Value]) -> str:
    canonical = json.dumps({name: _typed(value) for name, value in key.items()}, sort_keys=True)
    return sha256(canonical.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _typed(value: Value) -> Value:
    return {"B": value.hex()} if isinstance(value, bytes) else value

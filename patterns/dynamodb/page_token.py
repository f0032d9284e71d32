"""Opaque page tokens: where a listing goes on, bound to the listing it came from.

A token carries the range key of the last item a page returned and a digest over that key and the listing's scope
(player, route, query). A token that was altered, belongs to another player or comes from another query is refused.

The digest is not a signature and a token grants nothing: whoever forges one only chooses where in *their own* listing
the page starts, because the hash key of every read comes from the verified JWT or the path, never from the token.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIGEST_BYTES = 12
_LONGEST_TOKEN = 2048  # characters; DynamoDB range keys have at most 1024 bytes


class InvalidPageTokenError(ValueError):
    """The token was altered or belongs to another listing."""


def encode_page_token(position: str, scope: Sequence[str]) -> str:
    """Make the token of the page after `position`.

    Parameters
    ----------
    position
        Range key of the last item returned, at most 1024 bytes.
    scope
        What the listing is of: route, player, filters. Page size does not belong here, it may change between pages.

    Returns
    -------
    str
        URL-safe text without padding.
    """
    return urlsafe_b64encode(_digest(position, scope) + position.encode()).rstrip(b"=").decode("ascii")


def decode_page_token(token: str, scope: Sequence[str]) -> str:
    """Return the position inside a token.

    Parameters
    ----------
    token
        What the client sent.
    scope
        The scope of the listing now asked for, as for `encode_page_token`.

    Returns
    -------
    str
        The position the token was made of.

    Raises
    ------
    InvalidPageTokenError
        Not a token of this scope, in its one canonical spelling.
    """
    try:
        if len(token) > _LONGEST_TOKEN:
            raise InvalidPageTokenError("too long to be a page token")
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        position = raw[_DIGEST_BYTES:].decode()
    except (UnicodeError, binascii.Error) as error:
        raise InvalidPageTokenError("not a page token") from error
    # Comparing the re-encoded text also refuses the spellings that base64 decodes to the same bytes.
    if encode_page_token(position, scope) != token:
        raise InvalidPageTokenError("altered, or made by another listing")
    return position


def _digest(position: str, scope: Sequence[str]) -> bytes:
    # Length prefixes keep ("ab", "c") and ("a", "bc") apart.
    parts = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in (*scope, position))
    return sha256(parts).digest()[:_DIGEST_BYTES]

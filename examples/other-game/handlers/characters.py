"""The characters: versioned, and signed by whoever changes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from patterns.dynamodb.client import dynamodb_client
from patterns.dynamodb.items import decode_item
from patterns.historic import SignedAttributes
from patterns.optimistic_locking import VersionedTable

if TYPE_CHECKING:
    from patterns.dynamodb.items import Item

_signature = SignedAttributes()


def characters() -> VersionedTable:
    """Return the table of characters."""
    return VersionedTable(dynamodb_client(), os.environ["CHARACTERS_TABLE"], "character")


def signed(actor: str, reason: str, change_id: str, at_ms: int) -> Item:
    """Return the attributes that tell the history who changed a character, and why."""
    return decode_item(_signature.sign(actor, reason, change_id, at_ms))

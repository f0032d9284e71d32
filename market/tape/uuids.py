"""Ids that are UUIDs in canonical text, as 16 bytes instead of 36."""

from __future__ import annotations

from typing import Final

UUID_BYTES: Final = 16
_CHARACTERS = 36


def uuid_bytes(text: str) -> bytes | None:
    """Return the bytes of a UUID's canonical text, None of any other text; `uuid_text` gives the very text back."""
    if len(text) != _CHARACTERS or text[8:24:5] != "----":
        return None
    digits = text.replace("-", "")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return raw if len(raw) == UUID_BYTES and raw.hex() == digits else None


def uuid_text(raw: bytes) -> str:
    """Return the canonical text of a UUID's bytes."""
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

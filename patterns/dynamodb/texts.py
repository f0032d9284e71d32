"""Text as DynamoDB takes it: in UTF-8, which has no half surrogate pairs. Python's text and JSON may have them."""

from __future__ import annotations

from typing import TypeGuard


def utf8_bytes(text: str) -> int | None:
    """Return a text's length in UTF-8; None if DynamoDB refuses it."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def is_text(value: object, longest: int) -> TypeGuard[str]:
    """Tell whether a value is text of 1 to so many bytes."""
    return isinstance(value, str) and 1 <= (utf8_bytes(value) or 0) <= longest


def storable(text: str, longest: int) -> str:
    """Return what can be stored of a text that nobody has checked, such as an exception's: so many characters."""
    return text[:longest].encode(errors="replace").decode()

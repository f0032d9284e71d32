"""JSON objects, as everybody here sends them."""

from __future__ import annotations

import json
from typing import Any, cast


def decode_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the object in a JSON text; None if it holds anything else, or is none."""
    try:
        decoded: Any = json.loads(text)
    except (ValueError, RecursionError):  # the latter of brackets in brackets in brackets
        return None
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else None

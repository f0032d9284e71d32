"""Images of an item: from a stream record, as canonical bytes, compared and measured.

Images stay in DynamoDB's own form (``{"N": "5"}``) from the stream to the history and back to the table: a number keeps
all its digits, a set stays a set, and restoring an item writes exactly what was there.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any, TypeAlias, cast

from patterns.historic.errors import UnreadableRecordError

Image: TypeAlias = "dict[str, Any]"
"""An item as the low-level client takes it: attribute name to, for example, ``{"S": "ann"}``."""

LARGEST_IMAGE = 380_000
"""Estimated bytes of an image that surely fits into an item of 400 KB beside its author, hashes and keys."""


def from_stream(image: object) -> Image:
    """Return an image of a Lambda event as the low-level client takes it: there, binary values are base64 text.

    Raises
    ------
    UnreadableRecordError
        Not an item.
    """
    if not isinstance(image, dict):
        raise UnreadableRecordError(f"an image must be an item, got {image!r:.80}")
    attributes = cast("dict[str, dict[str, Any]]", image)
    return {name: _from_stream(attribute) for name, attribute in attributes.items()}


def _from_stream(attribute: dict[str, Any]) -> dict[str, Any]:
    ((descriptor, content),) = attribute.items()
    match descriptor:
        case "B":
            return {"B": b64decode(content)}
        case "BS":
            return {"BS": [b64decode(member) for member in content]}
        case "L":
            return {"L": [_from_stream(member) for member in content]}
        case "M":
            return {"M": {name: _from_stream(member) for name, member in content.items()}}
        case _:
            return attribute


def canonical(value: Any) -> str:
    """Return JSON text that is the same for the same content: sorted names and set members, base64 for bytes."""
    return json.dumps(_ordered(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _ordered(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode("ascii")
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        # DynamoDB keeps no order of set members. A list under these names is a set: in an image, what is under an
        # attribute's name is always a dict.
        return {
            name: sorted(map(_ordered, field))
            if name in ("SS", "NS", "BS") and not isinstance(field, dict)
            else _ordered(field)
            for name, field in fields.items()
        }
    if isinstance(value, (list, tuple)):
        return [_ordered(member) for member in cast("list[Any]", value)]
    return value


def digest(image: Image | None) -> bytes:
    """Return what tells two images apart: 32 bytes, none for an item that does not exist."""
    return b"" if image is None else sha256(canonical(image).encode()).digest()


def same(one: Image | None, other: Image | None) -> bool:
    """Return whether two images are the same item."""
    return one == other or digest(one) == digest(other)


def estimated_size(image: Image | None) -> int:
    """Return the bytes of an image, at least as many as DynamoDB counts."""
    return 0 if image is None else len(canonical(image).encode())

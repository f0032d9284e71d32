"""A request's body as a JSON object, refusing everything that two readers could read differently.

Duplicate keys, numbers beyond a float or an int, NaN, other encodings: JSON libraries disagree about all of them, so
whoever checks an order and whoever logs it could see two orders. Here each has one reading or none.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, NoReturn, TypeGuard

from functions.api.problems import invalid_field
from market.errors import InvalidFieldError, Rule
from market.requests.fields import NumberLiteral

if TYPE_CHECKING:
    from functions.api.request import Request

MAX_BODY_BYTES = 8192
"""Largest body, in bytes as sent."""

MAX_DEPTH = 16
"""Deepest nesting that is parsed at all; a valid body has a depth of 1."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_ONE_DOCUMENT = "one JSON document in UTF-8, without a byte order mark"


def read_json_object(request: Request) -> dict[str, object]:
    """Decode a request's body.

    Parameters
    ----------
    request
        Its body may be base64.

    Returns
    -------
    dict[str, object]
        The root object; numbers anywhere in it are `NumberLiteral`, also NaN and Infinity, so that the field that holds
        one is named in the error.

    Raises
    ------
    InvalidFieldError
        Rules ``json``, ``json_object``, ``unique_keys``.
    Problem
        413, more than `MAX_BODY_BYTES`.
    """
    text = _body_text(request)
    if _is_deep(text):
        _refuse(Rule.JSON_OBJECT, "a flat JSON object")
    try:
        root: object = _DECODER.decode(text)
    except JSONDecodeError as error:
        _refuse(Rule.JSON, f"{_ONE_DOCUMENT}: {error.msg} at character {error.pos}")
    if not _is_object(root):
        _refuse(Rule.JSON_OBJECT, "a JSON object")
    return root


def _body_text(request: Request) -> str:
    if request.body is None:
        _refuse(Rule.JSON, _ONE_DOCUMENT)
    try:
        if request.is_base64:
            if len(request.body) > (MAX_BODY_BYTES + 2) // 3 * 4:
                raise _too_large()
            raw = b64decode(request.body, validate=True)
        else:
            raw = request.body.encode()
        if len(raw) > MAX_BODY_BYTES:
            raise _too_large()
        return raw.decode()
    except (UnicodeError, binascii.Error):
        _refuse(Rule.JSON, _ONE_DOCUMENT)


def _is_deep(text: str) -> bool:
    """Tell before parsing, so that it does not depend on how deep this interpreter can recurse."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _too_large() -> Exception:
    error = InvalidFieldError("body", None, Rule.MAXIMUM_BYTES, f"at most {MAX_BODY_BYTES} bytes long")
    return invalid_field(error, status=413, code="body_too_large")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidFieldError(key, None, Rule.UNIQUE_KEYS, "given once")
        found[key] = value
    return found


def _is_object(root: object) -> TypeGuard[dict[str, object]]:
    return isinstance(root, dict)


def _refuse(rule: Rule, requirement: str) -> NoReturn:
    raise InvalidFieldError("body", None, rule, requirement)


_DECODER = JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=NumberLiteral,
    parse_int=NumberLiteral,
    parse_constant=NumberLiteral,
)

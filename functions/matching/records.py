"""From a Kinesis record to what it means for the matcher.

A record's data is the DynamoDB stream record of an inserted ask or bid, unchanged. Every value that later enters a
transaction is checked here, so that a record from elsewhere can not make a whole commit invalid.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from market.keys import HIGHEST_PRICE_MINOR
from market.tables import Bid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.matching.tables import StoredItem

    _Image = dict[str, object]

LARGEST_QUANTITY = 10**12
"""Far above any environment's own limit, which the API enforces; keeps sums of a commit inside 38 digits."""

_MATERIAL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ORDER_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")
_SCALARS: dict[object, type] = {"S": str, "N": str, "BOOL": bool}
_LONGEST_KEY = 2048  # bytes of a DynamoDB partition key
_LONGEST_DATA = 16_384  # characters of base64; a hundred such items are well under the 4 MB of a transaction


class UnprocessableRecordError(ValueError):
    """The record can never be processed; the text names the attribute and the rule."""


@dataclass(frozen=True, slots=True)
class NewAsk:
    """A reason to look at a material: an ask was stored. What the ask is, the book says."""

    material: str
    ask_id: str
    placed_at_ms: int
    sequenced_at_ms: int


@dataclass(frozen=True, slots=True)
class NewBid:
    """A bid to handle: what it asks for, and its stored item as it was inserted, in DynamoDB's attribute form."""

    bid: Bid
    image: StoredItem


Arrival: TypeAlias = "NewAsk | NewBid"


def read_record(kinesis: Mapping[str, Any]) -> Arrival:
    """Read the ``kinesis`` part of one record of a Lambda event.

    Parameters
    ----------
    kinesis
        ``data`` in base64, ``approximateArrivalTimestamp`` in seconds.

    Returns
    -------
    Arrival
        A `NewAsk`, or a `NewBid` whose bid is PENDING and carries its arrival time as `sequenced_at_ms`.

    Raises
    ------
    UnprocessableRecordError
        Not the stream record of an inserted ask or bid, or a value outside its range.
    """
    image = _inserted_image(kinesis["data"])
    material = _text(image, "material", _MATERIAL)
    placed_at_ms = _number(image, "placed_at_ms", 10**15 - 1)
    sequenced_at_ms = round(kinesis["approximateArrivalTimestamp"] * 1000)
    if "ask_id" in image:
        return NewAsk(material, _text(image, "ask_id", _ORDER_ID), placed_at_ms, sequenced_at_ms)
    bid_id = _text(image, "bid_id", _ORDER_ID)
    if _attribute(image, "order_key", "S") != bid_id:
        raise UnprocessableRecordError("order_key must be the bid_id")
    bid = Bid(
        buyer=_player(image, "buyer"),
        bid_id=bid_id,
        material=material,
        price_minor=_number(image, "price_minor", HIGHEST_PRICE_MINOR),
        quantity=_number(image, "quantity", LARGEST_QUANTITY),
        filled=0,
        status="PENDING",
        placed_at_ms=placed_at_ms,
        sequenced_at_ms=sequenced_at_ms,
    )
    return NewBid(bid, _scalars(image))


def _inserted_image(data: str) -> _Image:
    if len(data) > _LONGEST_DATA:
        raise UnprocessableRecordError(f"data must have at most {_LONGEST_DATA} characters")
    try:
        record = json.loads(b64decode(data, validate=True))
        event, image = record["eventName"], record["dynamodb"]["NewImage"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnprocessableRecordError("data is not the JSON of a DynamoDB stream record with a NewImage") from error
    if event != "INSERT" or not isinstance(image, dict):
        raise UnprocessableRecordError("eventName must be INSERT and NewImage an item")
    return cast("_Image", image)


def _scalars(image: _Image) -> StoredItem:
    # In stream records bytes are base64 text, which the client would encode once more on writing the item back.
    for name, attribute in image.items():
        if not _is_scalar(attribute):
            raise UnprocessableRecordError(f"{name} must be a text, a number or a boolean")
    return cast("StoredItem", image)


def _is_scalar(attribute: object) -> bool:
    if not isinstance(attribute, dict) or len(cast("dict[object, object]", attribute)) != 1:
        return False
    ((descriptor, value),) = cast("dict[object, object]", attribute).items()
    return type(value) is _SCALARS.get(descriptor) and (not isinstance(value, str) or _is_unicode(value))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can say half a character
        return False
    return True


def _attribute(image: _Image, name: str, descriptor: str) -> str:
    attribute = image.get(name)
    value = cast("dict[object, object]", attribute).get(descriptor) if isinstance(attribute, dict) else None
    if not isinstance(value, str):
        raise UnprocessableRecordError(f"{name} must be of DynamoDB type {descriptor}")
    return value


def _text(image: _Image, name: str, pattern: re.Pattern[str]) -> str:
    value = _attribute(image, name, "S")
    if pattern.fullmatch(value) is None:
        raise UnprocessableRecordError(f"{name} must match {pattern.pattern}")
    return value


def _player(image: _Image, name: str) -> str:
    value = _attribute(image, name, "S")
    if not _is_unicode(value) or not 1 <= len(value.encode()) <= _LONGEST_KEY:
        raise UnprocessableRecordError(f"{name} must have 1 to {_LONGEST_KEY} bytes of valid Unicode")
    return value


def _number(image: _Image, name: str, highest: int) -> int:
    text = _attribute(image, name, "N")
    if _WHOLE_NUMBER.fullmatch(text) is None or not 1 <= int(text) <= highest:
        raise UnprocessableRecordError(f"{name} must be a whole number from 1 to {highest}")
    return int(text)

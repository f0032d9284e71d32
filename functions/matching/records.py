"""From a Kinesis record to what it means for the matcher.

A record's data is a DynamoDB stream record, unchanged: of an inserted ask or bid, or of an order whose player has asked
for something. The express lane puts the same record, so each comes twice, in any order. Or it is the expirer's, which
names orders that are past their time.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from functions.matching.images import (
    UnprocessableRecordError,
    material_of,
    order_id_of,
    placed_at_ms_of,
    player_of,
    price_of,
    read_order,
    scalars,
    text,
)
from functions.matching.traces import NO_RECORD, RecordTrace, read_trace
from market.keys import ask_price_key, bid_price_key
from market.side import Side
from market.tables import Bid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.matching.images import Image
    from functions.matching.tables import StoredItem
    from market.tables import SellOrder

_LONGEST_DATA = 1_500_000  # characters of base64; a Kinesis record has 1 MB
_LONGEST_IMAGE_DATA = 16_384  # characters of base64; a hundred such items are well under the 4 MB of a transaction
_MOST_EXPIRED = 100


@dataclass(frozen=True, slots=True)
class NewAsk:
    """A reason to look at a material: an ask was stored. What the ask is, the book says."""

    material: str
    ask_id: str
    price_key: str
    placed_at_ms: int
    sequenced_at_ms: int
    trace: RecordTrace = NO_RECORD

    @property
    def handled_id(self) -> str:
        """What a second copy of the record is known by."""
        return self.ask_id


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A bid or an arriving ask to handle, and its stored item, in DynamoDB's attribute form."""

    order: Bid | SellOrder
    image: StoredItem
    trace: RecordTrace = NO_RECORD

    @property
    def handled_id(self) -> str:
        """What a second copy of the record is known by."""
        return id_of(self.order)

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The order's id."""
        return (id_of(self.order),)

    @property
    def named(self) -> NamedOrder:
        """Which order it is; it has no place in the book yet."""
        if isinstance(self.order, Bid):
            return NamedOrder(Side.BUY, self.order.bid_id, self.order.buyer, None)
        return NamedOrder(Side.SELL, self.order.ask_id, self.order.seller, None)


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order that a record names. `price_key` is its place in the book, None if the record does not say."""

    side: Side
    order_id: str
    player: str
    price_key: str | None


@dataclass(frozen=True, slots=True)
class Requests:
    """A reason to look at some orders: what their players ask for, the tables say. `due`: their time may be over.

    `request_id` is what was asked for when the record was made; None of an expirer's record, which comes by one lane.
    """

    material: str
    orders: tuple[NamedOrder, ...]
    due: bool
    request_id: str | None = None
    trace: RecordTrace = NO_RECORD

    @property
    def handled_id(self) -> str | None:
        """What a second copy of the record is known by."""
        return self.request_id

    @property
    def order_ids(self) -> tuple[str, ...]:
        """The ids of the orders."""
        return tuple(order.order_id for order in self.orders)


Arrival: TypeAlias = "NewAsk | NewOrder | Requests"


def id_of(order: Bid | SellOrder) -> str:
    """Return the id of an order of either side."""
    return order.bid_id if isinstance(order, Bid) else order.ask_id


def read_record(kinesis: Mapping[str, Any]) -> Arrival:
    """Read the ``kinesis`` part of one record of a Lambda event.

    Parameters
    ----------
    kinesis
        ``data`` in base64, ``approximateArrivalTimestamp`` in seconds.

    Returns
    -------
    Arrival
        A `NewOrder` is PENDING and carries its arrival time as `sequenced_at_ms`.

    Raises
    ------
    UnprocessableRecordError
        None of the records above, or a value outside its range.
    """
    record = _record(kinesis["data"])
    event = record.get("eventName")
    if event == "EXPIRE":
        return _expired(record)
    if len(kinesis["data"]) > _LONGEST_IMAGE_DATA:
        raise UnprocessableRecordError(f"data of an order must have at most {_LONGEST_IMAGE_DATA} characters")
    image = _image(record)
    sequenced_at_ms = round(kinesis["approximateArrivalTimestamp"] * 1000)
    trace = read_trace(record, image, sequenced_at_ms, asked=event == "MODIFY")
    if event == "INSERT":
        return _inserted(image, sequenced_at_ms, trace)
    if event == "MODIFY":
        return _requested(image, trace)
    raise UnprocessableRecordError("eventName must be INSERT, MODIFY or EXPIRE")


def _record(data: str) -> Mapping[str, Any]:
    if len(data) > _LONGEST_DATA:
        raise UnprocessableRecordError(f"data must have at most {_LONGEST_DATA} characters")
    try:
        record = json.loads(b64decode(data, validate=True).decode())
    except (ValueError, RecursionError) as error:
        raise UnprocessableRecordError("data is not JSON") from error
    if not isinstance(record, dict):
        raise UnprocessableRecordError("data is not a JSON object")
    return cast("Mapping[str, Any]", record)


def _image(record: Mapping[str, Any]) -> Image:
    change = record.get("dynamodb")
    image = cast("Mapping[str, object]", change).get("NewImage") if isinstance(change, dict) else None
    if not isinstance(image, dict):
        raise UnprocessableRecordError("NewImage must be an item")
    return cast("Image", image)


def _inserted(image: Image, sequenced_at_ms: int, trace: RecordTrace) -> NewAsk | NewOrder:
    if "price_key" in image:
        return NewAsk(
            material_of(image),
            order_id_of(image, "ask_id"),
            text(image, "price_key"),
            placed_at_ms_of(image),
            sequenced_at_ms,
            trace,
        )
    if text(image, "status") != "PENDING":
        raise UnprocessableRecordError("status must be PENDING")
    return NewOrder(read_order(image, sequenced_at_ms), scalars(image), trace)


def _requested(image: Image, trace: RecordTrace) -> Requests:
    request_id = order_id_of(image, "request_id")
    side, key = (Side.SELL, ask_price_key) if "ask_id" in image else (Side.BUY, bid_price_key)
    order_id = order_id_of(image, "ask_id" if side is Side.SELL else "bid_id")
    if text(image, "order_key") != order_id:
        raise UnprocessableRecordError("order_key must be the order's id")
    player = player_of(image, "seller" if side is Side.SELL else "buyer")
    order = NamedOrder(side, order_id, player, key(price_of(image), order_id))
    return Requests(material_of(image), (order,), due=False, request_id=request_id, trace=trace)


def _expired(record: Mapping[str, Any]) -> Requests:
    orders = record.get("orders")
    if not isinstance(orders, list) or not 1 <= len(cast("list[object]", orders)) <= _MOST_EXPIRED:
        raise UnprocessableRecordError(f"orders must be 1 to {_MOST_EXPIRED} orders")
    material = material_of(_as_image(record))
    return Requests(material, tuple(map(_due, cast("list[object]", orders))), due=True)


def _due(order: object) -> NamedOrder:
    if not isinstance(order, dict):
        raise UnprocessableRecordError("each of orders must be an object")
    image = _as_image(cast("Mapping[str, object]", order))
    side = text(image, "side")
    if side not in ("BUY", "SELL"):
        raise UnprocessableRecordError("side must be BUY or SELL")
    order_id = order_id_of(image, "order_id")
    price_key = text(image, "price_key")
    if not price_key.endswith(f"#{order_id}"):
        raise UnprocessableRecordError("price_key must end with the order_id")
    return NamedOrder(Side.BUY if side == "BUY" else Side.SELL, order_id, player_of(image, "player"), price_key)


def _as_image(values: Mapping[str, object]) -> Image:
    """Plain values in DynamoDB's attribute form, so that one set of checks serves both."""
    return {name: {"S": value} for name, value in values.items()}

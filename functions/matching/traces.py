"""Where records and orders come from: the lane, the trace id, and the times of the way so far."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from market.feed.messages import OrderTrace
from market.tracing import TRACE_ID_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from functions.matching.images import Image
    from functions.matching.records import NewAsk, NewOrder, Requests
    from functions.matching.tables import StoredItem
    from market.matching.changes import Commit

_LATEST_MS = 10**15 - 1
_DIGITS = re.compile(r"[0-9]{1,15}")
_PIPES_SOURCE = "aws:dynamodb"


@dataclass(frozen=True, slots=True)
class RecordTrace:
    """What a record says of its way; what it does not say, or not properly, is None.

    Parameters
    ----------
    by_pipe
        Whether it came by a table's change stream and its Pipe.
    trace_id
        Of the request that caused it.
    received_at_ms, placed_at_ms, put_at_ms, sequenced_at_ms
        Epoch ms, see `market.tracing.HOPS`.
    """

    by_pipe: bool = False
    trace_id: str | None = None
    received_at_ms: int | None = None
    placed_at_ms: int | None = None
    put_at_ms: int | None = None
    sequenced_at_ms: int | None = None

    def order_trace(self, matched_at_ms: int, committed_at_ms: int | None) -> OrderTrace:
        """Return the trace as the feed tells it, with the matcher's own times."""
        hops = {
            "received_at_ms": self.received_at_ms,
            "placed_at_ms": self.placed_at_ms,
            "put_at_ms": self.put_at_ms,
            "sequenced_at_ms": self.sequenced_at_ms,
            "matched_at_ms": matched_at_ms,
            "committed_at_ms": committed_at_ms,
        }
        return OrderTrace(self.trace_id, {name: time for name, time in hops.items() if time is not None})


NO_RECORD: Final = RecordTrace()
"""Of an order that no record brought, but a table."""

_STORED = ("put_at_ms", "sequenced_at_ms", "matched_at_ms", "committed_at_ms")


def stored_hops(trace: OrderTrace) -> dict[str, Any]:
    """Return the hops that an order's item does not have yet, as an attribute: a map, about 90 bytes."""
    return {"M": {name: {"N": str(trace.hops[name])} for name in _STORED if name in trace.hops}}


def read_trace(record: Mapping[str, Any], image: Image, sequenced_at_ms: int | None, *, asked: bool) -> RecordTrace:
    """Read what a record says of its way: never a reason to refuse it.

    Parameters
    ----------
    record
        A DynamoDB stream record; the express lane's has a ``trace``. Empty for an item that was read from a table.
    image
        Its item, with the trace of the order's placing.
    sequenced_at_ms
        Epoch ms at which the stream took it; None if it was read from a table.
    asked
        Whether it is about something asked of the order later: then the times of its placing are not its.
    """
    found = record.get("trace")
    trace: Mapping[str, object] = cast("Mapping[str, object]", found) if isinstance(found, dict) else {}
    return RecordTrace(
        by_pipe=record.get("eventSource") == _PIPES_SOURCE,
        trace_id=_trace_id(trace.get("trace_id")) or _trace_id(_content(image, "trace_id", "S")),
        received_at_ms=_time(trace.get("received_at_ms"))
        or (None if asked else _time(_number(image, "received_at_ms"))),
        placed_at_ms=None if asked else _time(_number(image, "placed_at_ms")),
        put_at_ms=_time(trace.get("put_at_ms")),
        sequenced_at_ms=sequenced_at_ms,
    )


def _trace_id(value: object) -> str | None:
    return value if isinstance(value, str) and TRACE_ID_PATTERN.fullmatch(value) else None


def _time(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= _LATEST_MS else None


def _number(image: Image, name: str) -> int | None:
    digits = _content(image, name, "N")
    return int(digits) if isinstance(digits, str) and _DIGITS.fullmatch(digits) else None


def _content(image: Image, name: str, descriptor: str) -> object:
    attribute = image.get(name)
    return cast("Mapping[str, object]", attribute).get(descriptor) if isinstance(attribute, dict) else None


class OrderTraces:
    """Which request each order's change comes from.

    Parameters
    ----------
    orders, requests, new_asks
        One material's share of a batch.
    matched_at_ms
        Epoch ms at which the batch was received.

    Attributes
    ----------
    of_order
        By order id: an arrival's own, later that of what was asked of it. Orders that only trade have none.
    """

    def __init__(
        self, orders: Sequence[NewOrder], requests: Sequence[Requests], new_asks: Sequence[NewAsk], matched_at_ms: int
    ) -> None:
        self._entries = (*orders, *requests)
        self._matched_at_ms = matched_at_ms
        self._asked: dict[str, RecordTrace] = {}
        for request in requests:
            self._asked |= dict.fromkeys(request.order_ids, request.trace)
        self._plain = {ask.ask_id: ask.trace for ask in new_asks}
        self.of_order: dict[str, OrderTrace] = {
            ask_id: trace.order_trace(matched_at_ms, None) for ask_id, trace in self._plain.items()
        }

    @property
    def trace_ids(self) -> list[str]:
        """Trace ids of everything the batch brought."""
        traces = (*(entry.trace for entry in self._entries), *self._plain.values())
        return [trace.trace_id for trace in traces if trace.trace_id is not None]

    def with_hops(self, new: NewOrder, committed_at_ms: int) -> StoredItem:
        """Return an arriving order's item, with its hops if it is traced."""
        if new.trace.trace_id is None:
            return new.image
        return {**new.image, "hops": stored_hops(new.trace.order_trace(self._matched_at_ms, committed_at_ms))}

    def committed(self, commit: Commit, arrived: Mapping[str, NewOrder], committed_at_ms: int) -> None:
        """Take in a commit that is stored, and the orders that it handled first."""
        traces = {order_id: new.trace for order_id, new in arrived.items()}
        for change in commit.asks:
            if change.before is not None and (trace := self._plain.get(change.before.ask_id)) is not None:
                traces[change.before.ask_id] = trace
        for order_id in (
            *(bid.bid_id for bid in commit.bids if bid.request_done),
            *(ask.ask_id for ask in commit.sell_orders if ask.request_done),
        ):
            if order_id in self._asked:
                traces[order_id] = self._asked[order_id]
        self.of_order |= {
            order_id: trace.order_trace(self._matched_at_ms, committed_at_ms) for order_id, trace in traces.items()
        }


def span_attribute(orders: Iterable[NewOrder]) -> dict[str, str]:
    """Return what a span of orders is found by: one value, as of several orders the first leads to the others."""
    trace_id = next((new.trace.trace_id for new in orders), None)
    return {} if trace_id is None else {"trace_id": trace_id}

"""An order is accepted exactly if the market's rules say so, and stored exactly as it was written."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from functions.matching.images import read_order
from patterns.dynamodb.items import encode_item
from tests.api.front_door import RECEIVED_AT_MS, FrontDoor, opened

_TICK_MINOR, _MAX_QUANTITY, _MAX_MINOR = 5, 1_000_000, 999_999_999_999

_digits = st.text("0123456789", min_size=1, max_size=14)
_plain = st.builds("{}.{}".format, st.integers(0, 10**11), st.sampled_from(["5", "25", "50"]))
_scientific = st.builds("{}.{}e{}".format, _digits, _digits, st.integers(-420, 420))
_on_grid = st.integers(1, 2 * 10**11).map(lambda ticks: str(Decimal(ticks * _TICK_MINOR).scaleb(-2)))
_cents = st.integers(1, 10**12).map(lambda minor: str(Decimal(minor).scaleb(-2)))  # four of five off the grid
_noise = st.text("0123456789.eE+-_ ٣x", max_size=8)
_numbers = st.one_of(_on_grid, _cents, _plain, _scientific, _digits, _noise, st.integers().map(str))


def judged(text: str) -> Any:
    """Return the number that a JSON text is, None if it is none; every number exact."""

    def no_number(_text: str) -> None:
        return None

    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=no_number)
    except ValueError:
        return None
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def valid_price_minor(text: str) -> int | None:
    """Return the price in minor units if the rules allow it: an exact grid point within bounds."""
    value = judged(text)
    if value is None or len(text) > 64:
        return None
    minor = Fraction(value) * 100
    on_grid = minor.denominator == 1 and minor % _TICK_MINOR == 0
    return int(minor) if on_grid and 1 <= minor <= _MAX_MINOR else None


def valid_quantity(text: str) -> int | None:
    """Return the quantity if the rules allow it: an int within bounds."""
    value = judged(text)
    return value if isinstance(value, int) and 1 <= value <= _MAX_QUANTITY else None


def place(market: FrontDoor, side: str, price_json: str, quantity_json: str) -> tuple[int, dict[str, Any] | None]:
    """Place an order from JSON texts; return the status and what was stored."""
    body = f'{{"material": "copper", "price": {price_json}, "quantity": {quantity_json}}}'
    reply = market.send("POST", f"/{side}", body)
    stored = market.stored()
    items = stored["asks"] + stored["bids"]
    assert len(items) <= 1
    assert len(stored["sell-orders"]) == len(stored["asks"])
    if items:
        assert reply.body["id"] == items[0].get("ask_id", items[0].get("bid_id"))
        assert Fraction(reply.body["price"]) * 100 == items[0]["price_minor"]
    return reply.status, dict(items[0]) if items else None


@settings(max_examples=100)
@given(side=st.sampled_from(["asks", "bids"]), text=_numbers, quoted=st.booleans())
@example(side="asks", text="9999999999.95", quoted=True)
@example(side="bids", text="10000000000", quoted=False)
@example(side="bids", text="1.00000000000000000000", quoted=False)
def test_a_price_is_accepted_exactly_if_it_is_on_the_grid_and_stored_unrounded(
    side: str, text: str, quoted: bool
) -> None:
    expected = valid_price_minor(text if not quoted or text == text.strip() else "")
    with opened() as market:
        status, stored = place(market, side, f'"{text}"' if quoted else text, "3")
    if expected is None:
        assert (status, stored) == (400, None)
    else:
        assert stored is not None
        assert status == {"asks": 201, "bids": 202}[side]
        assert stored["price_minor"] == expected


@settings(max_examples=60)
@given(side=st.sampled_from(["asks", "bids"]), text=_numbers)
@example(side="asks", text="1000000")
def test_a_quantity_is_accepted_exactly_if_it_is_a_whole_number_in_bounds(side: str, text: str) -> None:
    expected = valid_quantity(text)
    with opened() as market:
        status, stored = place(market, side, "12.5", text)
    if expected is None:
        assert (status, stored) == (400, None)
    else:
        assert stored is not None
        assert status == {"asks": 201, "bids": 202}[side]
        assert stored["quantity"] == expected


def test_an_ask_is_stored_in_the_book_and_on_record(market: FrontDoor) -> None:
    reply = market.send("POST", "/asks", {"material": "copper", "quantity": 3, "price": 12.5, "client_order_id": "a-1"})
    assert reply.status == 201
    ask_id, placed_at_ms = reply.body["id"], market.stored()["asks"][0]["placed_at_ms"]
    trace_id = reply.body["trace"]["trace_id"]
    assert reply.body == {
        "id": ask_id,
        "side": "SELL",
        "material": "copper",
        "price": "12.50",
        "quantity": 3,
        "filled": 0,
        "remaining": 3,
        "status": "NEW",
        "reason": None,
        "type": "limit",
        "time_in_force": "GTC",
        "post_only": False,
        "placed_at": reply.body["placed_at"],
        "expires_at": None,
        "replaces": None,
        "request": None,
        "request_quantity": None,
        "client_order_id": "a-1",
        "trace": {"trace_id": trace_id, "hops": {"received_at_ms": RECEIVED_AT_MS, "placed_at_ms": placed_at_ms}},
    }
    stored = market.stored()
    order = {"ask_id": ask_id, "seller": "alice", "material": "copper", "price_minor": 1250, "quantity": 3}
    order |= {"placed_at_ms": placed_at_ms, "trace_id": trace_id, "received_at_ms": RECEIVED_AT_MS}
    assert stored["asks"] == [order | {"price_key": f"000000001250#{ask_id}", "remaining": 3}]
    record, pointer = sorted(stored["sell-orders"], key=lambda item: str(item["order_key"]))
    assert record == order | {"order_key": ask_id, "client_order_id": "a-1", "hold": 3}
    assert pointer == {
        "seller": "alice",
        "order_key": "~a-1",
        "order_id": ask_id,
        "fingerprint": pointer["fingerprint"],
    }


def test_a_bid_is_stored_as_pending(market: FrontDoor) -> None:
    reply = market.send("POST", "/bids", {"material": "wheat", "quantity": 1_000_000, "price": "9999999999.95"})
    assert reply.status == 202
    assert (reply.body["status"], reply.body["price"], reply.body["side"]) == ("PENDING", "9999999999.95", "BUY")
    (bid,) = market.stored()["bids"]
    assert bid == {
        "trace_id": reply.body["trace"]["trace_id"],
        "received_at_ms": RECEIVED_AT_MS,
        "buyer": "alice",
        "order_key": reply.body["id"],
        "bid_id": reply.body["id"],
        "material": "wheat",
        "price_minor": 999_999_999_995,
        "quantity": 1_000_000,
        "filled": 0,
        "status": "PENDING",
        "placed_at_ms": bid["placed_at_ms"],
        "hold": 999_999_999_995 * 1_000_000 * 1002 // 1000,
        "fee_bps": 20,
    }


ENDS = "2026-12-24T18:00:00.500Z"
ENDS_MS = 1_798_135_200_500


@pytest.mark.parametrize(
    ("fields", "told", "stored", "arrives"),
    [
        ({"time_in_force": "GTC", "type": "limit", "post_only": False}, {}, {}, False),
        (
            {"time_in_force": "GTD", "expires_at": ENDS},
            {"time_in_force": "GTD", "expires_at": ENDS},
            {"time_in_force": "GTD", "expires_at_ms": ENDS_MS},
            False,
        ),
        ({"post_only": True}, {"post_only": True}, {"post_only": True}, True),
        ({"time_in_force": "IOC"}, {"time_in_force": "IOC"}, {"time_in_force": "IOC"}, True),
        ({"time_in_force": "FOK"}, {"time_in_force": "FOK"}, {"time_in_force": "FOK"}, True),
        (
            {"type": "market", "price": None},
            {"type": "market", "price": None, "time_in_force": "IOC"},
            {"order_type": "MARKET", "time_in_force": "IOC"},
            True,
        ),
    ],
    ids=["GTC", "GTD", "post-only", "IOC", "FOK", "market"],
)
def test_an_order_keeps_how_it_is_to_trade(
    market: FrontDoor, fields: dict[str, object], told: dict[str, object], stored: dict[str, object], arrives: bool
) -> None:
    """Orders that may rest at once are open asks from the start; the matcher has to see any other order first."""
    body = {"material": "copper", "quantity": 3, "price": "12.50"} | fields
    body = {name: value for name, value in body.items() if value is not None}
    plain = {"type": "limit", "price": "12.50", "time_in_force": "GTC", "post_only": False, "expires_at": None}
    optional = ("order_type", "time_in_force", "expires_at_ms", "post_only")
    for side in ("asks", "bids"):
        reply = market.send("POST", f"/{side}", body)
        assert reply.body.items() >= (plain | told).items()
        pending = arrives or side == "bids"
        assert (reply.status, reply.body["status"]) == ((202, "PENDING") if pending else (201, "NEW"))
        assert market.send("GET", f"/{side}/{reply.body['id']}").body == reply.body
        assert market.send("GET", f"/{side}").body[side] == [reply.body]
    tables = market.stored()
    (record,), (bid,) = tables["sell-orders"], tables["bids"]
    for item in (record, bid):
        assert {name: item[name] for name in optional if name in item} == stored
        read = read_order(encode_item(item), None)  # as the matcher reads it
        assert {name: getattr(read, name) for name in optional if name in item} == stored
        assert (read.quantity, read.price_minor, read.hold) == (3, item["price_minor"], item["hold"])
    assert record.get("status") == ("PENDING" if arrives else None)
    assert [ask.get("expires_at_ms") for ask in tables["asks"]] == ([] if arrives else [stored.get("expires_at_ms")])
    assert (record["price_minor"], bid["price_minor"]) == (
        (1, 999_999_999_999) if "order_type" in stored else (1250, 1250)
    )

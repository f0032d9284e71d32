"""Reading a commit of the tape back from its item."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from market.fees import NO_FEES, Fees
from market.side import Side
from market.tape.encoding import ENDINGS, FIELDS_PER_FILL, by_order, fees_at
from market.tape.rows import Closing, TapeCommit, TapeOrder, TradeFill
from market.tape.uuids import UUID_BYTES, uuid_text
from market.tape.varints import decode_varints, unzigzag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BUY = Side.BUY
_SELL = Side.SELL
_T = TypeVar("_T")


def decode_commit(item: Mapping[str, object]) -> TapeCommit:
    """Read an item back; ``decode_commit(encode_commit(commit)) == commit``.

    Parameters
    ----------
    item
        Attribute name to plain value.

    Raises
    ------
    KeyError, TypeError, ValueError, IndexError
        The item is not one that `encode_commit` makes.
    """
    orders = tuple(_orders(item)) if "orders" in item else ()
    rates = Fees(*decode_varints(_typed(item["rates"], bytes))) if "rates" in item else NO_FEES
    fills = tuple(_fills(item, orders, rates)) if "fills" in item else ()
    return TapeCommit(
        material=_typed(item["material"], str),
        sequence=_typed(item["sequence"], int),
        committed_at_ms=_typed(item["committed_at_ms"], int),
        received_at_ms=_typed(item["received_at_ms"], int),
        fills=fills,
        orders=tuple(_releases(_typed(item["releases"], bytes), orders, fills)) if "releases" in item else (),
        rates=rates,
    )


def _orders(item: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield id and player of each order, by position."""
    ids = _typed(item["orders"], bytes)
    if len(ids) % UUID_BYTES:
        raise ValueError(f"orders has {len(ids)} bytes, not a multiple of {UUID_BYTES}")
    players = [_player_text(value) for value in cast("list[object]", _typed(item["players"], list))]
    positions = decode_varints(_typed(item["owners"], bytes)) if "owners" in item else range(len(players))
    owners = [players[position] for position in positions]
    if len(owners) * UUID_BYTES != len(ids):
        raise ValueError(f"{len(owners)} owners of {len(ids) // UUID_BYTES} orders do not add up")
    for start, player in zip(range(0, len(ids), UUID_BYTES), owners, strict=True):
        yield uuid_text(ids[start : start + UUID_BYTES]), player


def _fills(item: Mapping[str, object], orders: tuple[tuple[str, str], ...], rates: Fees) -> Iterator[TradeFill]:
    numbers = list(decode_varints(_typed(item["fills"], bytes)))
    count, left = divmod(len(numbers), FIELDS_PER_FILL)
    fees = list(decode_varints(_typed(item["fees"], bytes))) if "fees" in item else [0] * (2 * count)
    if left or len(fees) != 2 * count:
        raise ValueError(f"{len(numbers)} fill numbers and {len(fees)} fees do not add up")
    bid = ask = price_minor = 0
    for index in range(count):
        bid_side, ask_step, price_step, quantity = numbers[FIELDS_PER_FILL * index : FIELDS_PER_FILL * (index + 1)]
        bid, ask = bid + unzigzag(bid_side >> 1), ask + unzigzag(ask_step)
        price_minor += unzigzag(price_step)
        if bid < 0 or ask < 0:
            raise ValueError(f"fill {index + 1} is of the orders at {bid} and {ask}")
        bid_id, buyer = orders[bid]
        ask_id, seller = orders[ask]
        taker_side = _SELL if bid_side & 1 else _BUY
        buyer_fee_minor, seller_fee_minor = fees_at(rates, taker_side, price_minor * quantity)
        yield TradeFill(
            n=index + 1,
            bid_id=bid_id,
            buyer=buyer,
            ask_id=ask_id,
            seller=seller,
            price_minor=price_minor,
            quantity=quantity,
            taker_side=taker_side,
            buyer_fee_minor=buyer_fee_minor + unzigzag(fees[2 * index]),
            seller_fee_minor=seller_fee_minor + unzigzag(fees[2 * index + 1]),
        )


def _releases(
    releases: bytes, orders: tuple[tuple[str, str], ...], fills: tuple[TradeFill, ...]
) -> Iterator[TapeOrder]:
    costs, traded = by_order(fills)
    numbers = decode_varints(releases)
    try:
        for position, code in enumerate(numbers):
            order_id, player = orders[position]
            released = costs[order_id] + unzigzag(next(numbers))
            closed = None
            if code >> 2:
                status, reason = ENDINGS[(code >> 2) - 1]
                traded_before = next(numbers) if code & 2 else 0
                withdrawn = 0 if reason is None else next(numbers)
                closed = Closing(status, reason, traded_before + traded[order_id] + withdrawn, withdrawn)
            yield TapeOrder(order_id, player, _SELL if code & 1 else _BUY, released, closed)
    except StopIteration:
        raise ValueError("the last release is cut off") from None


def _player_text(value: object) -> str:
    return uuid_text(value) if isinstance(value, bytes) else _typed(value, str)


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r:.80}")
    return cast("_T", value)

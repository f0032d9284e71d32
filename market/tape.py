"""The tape: what each matcher commit traded, and how one commit is laid out as one compact item.

Besides the trades it says of each order what became of its hold and whether it closed: whatever accounts need to know.

A commit of 90 fills takes about 4 KB instead of 20: a transactional write pays two units per KB, so the layout decides
what a trade record costs. Each order is named once (16 bytes), each player once, all else is a few small numbers, most
of them differences to what was expected, which take a byte each:

===================  =====================================================================================
``material``         str, partition key
``sequence``         int, sort key: 1, 2, 3 … without gaps for each material
``received_at_ms``   int, epoch ms at which the matcher started on the batch
``committed_at_ms``  int, epoch ms at which it wrote this commit
``orders``           bytes, the ids of all orders that traded, released or closed, 16 bytes each
``players``          list, each player once: 16 bytes if the id is a UUID's canonical text, else the text itself
``owners``           bytes, for each order the position of its player, as varints; absent if they are 0, 1, 2 …
``fills``            bytes, for each fill four varints: position of the bid, as a difference to the fill before, × 2 +
                     (1 if the ask was the taker); differences of the position of the ask and of price_minor; quantity
``rates``            bytes, what the resting and the arriving order of a trade pay in basis points, as varints
``fees``             bytes, for each fill what the buyer's fee and the seller's differ from those at the rates
``releases``         bytes, for each of the first orders in turn: side (1: sell) + 2 × its ending (0: still open, else 1
                     + its position in `Ending`); what is released beyond what its fills here cost it; if it closed,
                     what it traded before this commit, and if not by trading, what of it was withdrawn
===================  =====================================================================================

The last seven are absent where there is nothing to say: ``orders`` and ``players`` from a commit that touched no hold,
``fills`` and ``rates`` from one without trades, ``rates`` and ``fees`` if all are zero. Varints are unsigned LEB128:
seven bits a byte, lowest first, the high bit set on all but the last (DWARF 5, §7.6). Differences are zigzag-coded
varints: 0, -1, 1, -2 … as 0, 1, 2, 3 … (Protocol Buffers, Encoding, "Signed integers").
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from market.endings import Ending
from market.fees import NO_FEES, Fees, fee_minor
from market.matching.order_book import Side
from market.varints import unzigzag, varint, varints, zigzag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PlainValue: TypeAlias = "str | int | bytes | list[PlainValue]"
"""What an encoded commit's attributes hold."""

_ENDINGS: tuple[tuple[str, str | None], ...] = tuple(ending.value for ending in Ending)
_ENDING_CODES: dict[tuple[str, str | None], int] = {ending: code for code, ending in enumerate(_ENDINGS, 1)}
_T = TypeVar("_T")
_ID_BYTES = 16
_FIELDS_PER_FILL = 4


@dataclass(frozen=True, slots=True)
class TradeFill:
    """One trade: its number within the commit (from 1), both sides, the resting order's price, the quantity, the fees.

    The buyer pays price times quantity and `buyer_fee_minor`; the seller gets it less `seller_fee_minor`.
    """

    n: int
    bid_id: str
    buyer: str
    ask_id: str
    seller: str
    price_minor: int
    quantity: int
    taker_side: Side
    buyer_fee_minor: int = 0
    seller_fee_minor: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """How an order closed.

    Parameters
    ----------
    status
        FILLED, CANCELED, EXPIRED or REJECTED.
    reason
        One of `market.endings.Ending`, None if it is FILLED.
    quantity
        Its total in the end: what traded in all, and what was withdrawn.
    withdrawn
        Units that were still open.
    """

    status: str
    reason: str | None
    quantity: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class TapeOrder:
    """What a commit does to one order's hold.

    Parameters
    ----------
    order_id, player, side
        Which, whose.
    released
        What leaves the hold, minor units of a bid, units of an ask: what its trades in this commit cost it, and
        whatever it need not hold any longer.
    closed
        How it closed in this commit; None if it is still open.
    """

    order_id: str
    player: str
    side: Side
    released: int
    closed: Closing | None


@dataclass(frozen=True, slots=True)
class TapeCommit:
    """One commit of the matcher: its place on the material's tape, its times in epoch ms, its fills in order.

    `orders` has each order that traded, released or closed, once. `rates` are the fees in effect (not kept without
    fills); a bid placed at lower ones pays those.
    """

    material: str
    sequence: int
    committed_at_ms: int
    received_at_ms: int
    fills: tuple[TradeFill, ...]
    orders: tuple[TapeOrder, ...] = ()
    rates: Fees = NO_FEES


def trade_id(material: str, sequence: int, n: int) -> str:
    """Return the id of a trade, for example ``"copper-12-3"``: derived, so it is the same on every reading."""
    return f"{material}-{sequence}-{n}"


def encode_commit(commit: TapeCommit) -> dict[str, PlainValue]:
    """Lay a commit out as one item.

    Parameters
    ----------
    commit
        Its fills are numbered 1, 2, 3 … in order; order ids are canonical UUID text.

    Returns
    -------
    dict[str, PlainValue]
        Attribute name to plain value, see the module's table.

    Raises
    ------
    ValueError
        An order id that is not canonical UUID text, fills numbered otherwise, one order with two owners or released
        from twice, a closing that is not an `Ending` or whose sums disagree with the fills.
    """
    item: dict[str, PlainValue] = {
        "material": commit.material,
        "sequence": commit.sequence,
        "received_at_ms": commit.received_at_ms,
        "committed_at_ms": commit.committed_at_ms,
    }
    if not commit.fills and not commit.orders:
        return item
    owners = _owners(commit)
    positions = {order_id: position for position, order_id in enumerate(owners)}
    players = {player: position for position, player in enumerate(dict.fromkeys(owners.values()))}
    item["orders"] = b"".join(map(_id_bytes, owners))
    item["players"] = [_player_value(player) for player in players]
    if len(players) < len(owners):
        item["owners"] = b"".join(varint(players[player]) for player in owners.values())
    if commit.fills and commit.rates != NO_FEES:
        item["rates"] = varint(commit.rates.maker_bps) + varint(commit.rates.taker_bps)
    if commit.fills:
        item["fills"] = _encode_fills(commit.fills, positions)
    if any(fees := _encode_fees(commit)):
        item["fees"] = fees
    if commit.orders:
        item["releases"] = _encode_releases(commit)
    return item


def _owners(commit: TapeCommit) -> dict[str, str]:
    """Return order id to player: first those of `commit.orders`, as their releases are laid out by position."""
    owners = {order.order_id: order.player for order in commit.orders}
    if len(owners) != len(commit.orders):
        raise ValueError(f"an order of {commit.material}-{commit.sequence} is released from twice")
    for n, fill in enumerate(commit.fills, 1):
        if fill.n != n:
            raise ValueError(f"fill {n} of {commit.material}-{commit.sequence} is numbered {fill.n}")
        for order_id, player in ((fill.bid_id, fill.buyer), (fill.ask_id, fill.seller)):
            if owners.setdefault(order_id, player) != player:
                raise ValueError(f"order {order_id} has two owners: {owners[order_id]!r} and {player!r}")
    return owners


def _encode_fills(fills: tuple[TradeFill, ...], positions: Mapping[str, int]) -> bytes:
    numbers = bytearray()
    bid = ask = price_minor = 0
    for fill in fills:
        bid_before, ask_before, price_before = bid, ask, price_minor
        bid, ask, price_minor = positions[fill.bid_id], positions[fill.ask_id], fill.price_minor
        numbers += varint(zigzag(bid - bid_before) << 1 | (fill.taker_side is Side.SELL))
        numbers += varint(zigzag(ask - ask_before))
        numbers += varint(zigzag(price_minor - price_before))
        numbers += varint(fill.quantity)
    return bytes(numbers)


def _encode_fees(commit: TapeCommit) -> bytes:
    numbers = bytearray()
    for fill in commit.fills:
        buyer_fee_minor, seller_fee_minor = _fees_at(commit.rates, fill.taker_side, fill.price_minor * fill.quantity)
        numbers += varint(zigzag(fill.buyer_fee_minor - buyer_fee_minor))
        numbers += varint(zigzag(fill.seller_fee_minor - seller_fee_minor))
    return bytes(numbers)


def _fees_at(rates: Fees, taker_side: Side, value_minor: int) -> tuple[int, int]:
    """Return the buyer's fee and the seller's at these rates."""
    maker, taker = fee_minor(value_minor, rates.maker_bps), fee_minor(value_minor, rates.taker_bps)
    return (taker, maker) if taker_side is Side.BUY else (maker, taker)


def _encode_releases(commit: TapeCommit) -> bytes:
    costs, traded = _by_order(commit.fills)
    numbers = bytearray()
    for order in commit.orders:
        closed = order.closed
        numbers += varint(_ending_code(closed) << 1 | (order.side is Side.SELL))
        numbers += varint(zigzag(order.released - costs[order.order_id]))
        if closed is not None:
            traded_before = closed.quantity - closed.withdrawn - traded[order.order_id]
            if traded_before < 0 or (closed.reason is None and closed.withdrawn):
                raise ValueError(f"order {order.order_id} of {traded[order.order_id]} traded units closes as {closed}")
            numbers += varint(traded_before)
            if closed.reason is not None:
                numbers += varint(closed.withdrawn)
    return bytes(numbers)


def _by_order(fills: tuple[TradeFill, ...]) -> tuple[Counter[str], Counter[str]]:
    """Return what the fills cost each order's hold, and the units each traded."""
    costs: Counter[str] = Counter()
    traded: Counter[str] = Counter()
    for fill in fills:
        costs[fill.bid_id] += fill.price_minor * fill.quantity + fill.buyer_fee_minor
        costs[fill.ask_id] += fill.quantity
        traded[fill.bid_id] += fill.quantity
        traded[fill.ask_id] += fill.quantity
    return costs, traded


def _ending_code(closed: Closing | None) -> int:
    if closed is None:
        return 0
    code = _ENDING_CODES.get((closed.status, closed.reason))
    if code is None:
        raise ValueError(f"no order ends as {closed.status} for the reason {closed.reason}")
    return code


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
    rates = Fees(*varints(_typed(item["rates"], bytes))) if "rates" in item else NO_FEES
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
    if len(ids) % _ID_BYTES:
        raise ValueError(f"orders has {len(ids)} bytes, not a multiple of {_ID_BYTES}")
    players = [_player_text(value) for value in cast("list[object]", _typed(item["players"], list))]
    positions = varints(_typed(item["owners"], bytes)) if "owners" in item else range(len(players))
    owners = [players[position] for position in positions]
    if len(owners) * _ID_BYTES != len(ids):
        raise ValueError(f"{len(owners)} owners of {len(ids) // _ID_BYTES} orders do not add up")
    for start, player in zip(range(0, len(ids), _ID_BYTES), owners, strict=True):
        yield _id_text(ids[start : start + _ID_BYTES]), player


def _fills(item: Mapping[str, object], orders: tuple[tuple[str, str], ...], rates: Fees) -> Iterator[TradeFill]:
    numbers = list(varints(_typed(item["fills"], bytes)))
    count, left = divmod(len(numbers), _FIELDS_PER_FILL)
    fees = list(varints(_typed(item["fees"], bytes))) if "fees" in item else [0] * (2 * count)
    if left or len(fees) != 2 * count:
        raise ValueError(f"{len(numbers)} fill numbers and {len(fees)} fees do not add up")
    bid = ask = price_minor = 0
    for index in range(count):
        bid_side, ask_step, price_step, quantity = numbers[_FIELDS_PER_FILL * index : _FIELDS_PER_FILL * (index + 1)]
        bid, ask = bid + unzigzag(bid_side >> 1), ask + unzigzag(ask_step)
        price_minor += unzigzag(price_step)
        if bid < 0 or ask < 0:
            raise ValueError(f"fill {index + 1} is of the orders at {bid} and {ask}")
        bid_id, buyer = orders[bid]
        ask_id, seller = orders[ask]
        taker_side = Side.SELL if bid_side & 1 else Side.BUY
        buyer_fee_minor, seller_fee_minor = _fees_at(rates, taker_side, price_minor * quantity)
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
    costs, traded = _by_order(fills)
    numbers = varints(releases)
    try:
        for position, code in enumerate(numbers):
            order_id, player = orders[position]
            released = costs[order_id] + unzigzag(next(numbers))
            closed = None
            if code >> 1:
                status, reason = _ENDINGS[(code >> 1) - 1]
                traded_before = next(numbers)
                withdrawn = 0 if reason is None else next(numbers)
                closed = Closing(status, reason, traded_before + traded[order_id] + withdrawn, withdrawn)
            yield TapeOrder(order_id, player, Side.SELL if code & 1 else Side.BUY, released, closed)
    except StopIteration:
        raise ValueError("the last release is cut off") from None


def _id_bytes(order_id: str) -> bytes:
    raw = _uuid_bytes(order_id)
    if raw is None:
        raise ValueError(f"order id {order_id!r} is not the canonical text of a UUID")
    return raw


def _uuid_bytes(text: str) -> bytes | None:
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == _ID_BYTES and _id_text(raw) == text else None


def _id_text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _player_value(player: str) -> str | bytes:
    return _uuid_bytes(player) or player


def _player_text(value: object) -> str:
    return _id_text(value) if isinstance(value, bytes) else _typed(value, str)


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r:.80}")
    return cast("_T", value)

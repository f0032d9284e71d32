"""How one commit is laid out as one compact item.

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
``owners``           bytes, for each order the position of its player; absent if they are 0, 1, 2 …
``fills``            bytes, for each fill four numbers: position of the bid, as a difference to the fill before, × 2 +
                     (1 if the ask was the taker); differences of the position of the ask and of price_minor; quantity
``rates``            bytes, what the resting and the arriving order of a trade pay in basis points
``fees``             bytes, for each fill what the buyer's fee and the seller's differ from those at the rates
``releases``         bytes, for each of the first orders in turn: side (1: sell) + 2 × (1 if it closed and traded before
                     this commit) + 4 × its ending (0: still open, else 1 + its position in `Ending`); what is released
                     beyond what its fills here cost it; what it traded before, if it did; what of it was withdrawn, if
                     it closed otherwise than by trading
===================  =====================================================================================

The last seven are absent where there is nothing to say: ``orders`` and ``players`` from a commit that touched no hold,
``fills`` and ``rates`` from one without trades, ``rates`` and ``fees`` if all are zero. Numbers in bytes are varints,
differences zigzag-coded, see `market.tape.varints`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from market.endings import Ending
from market.fees import NO_FEES, Fees, fee_minor
from market.side import Side
from market.tape.uuids import uuid_bytes
from market.tape.varints import encode_varints, zigzag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.tape.rows import Closing, TapeCommit, TradeFill

PlainValue: TypeAlias = "str | int | bytes | list[PlainValue]"
"""What an encoded commit's attributes hold."""

# Members bound once: an attribute look-up on an Enum class runs Python code on every access in CPython 3.11.
_BUY = Side.BUY
_SELL = Side.SELL
ENDINGS: tuple[tuple[str, str | None], ...] = tuple(ending.value for ending in Ending)
_ENDING_CODES: dict[tuple[str, str | None], int] = {ending: code for code, ending in enumerate(ENDINGS, 1)}
FIELDS_PER_FILL = 4


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
    players = dict.fromkeys(owners.values())
    item["orders"] = b"".join(map(_id_bytes, owners))
    item["players"] = [_player_value(player) for player in players]
    if len(players) < len(owners):
        positions = {player: position for position, player in enumerate(players)}
        item["owners"] = encode_varints(positions[player] for player in owners.values())
    if commit.fills:
        if commit.rates != NO_FEES:
            item["rates"] = encode_varints((commit.rates.maker_bps, commit.rates.taker_bps))
        item["fills"] = _encode_fills(commit.fills, {order_id: position for position, order_id in enumerate(owners)})
        fees = _encode_fees(commit.fills, commit.rates)
        if any(fees):
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
        buyer = owners.setdefault(fill.bid_id, fill.buyer)
        if buyer != fill.buyer:
            raise ValueError(f"order {fill.bid_id} has two owners: {buyer!r} and {fill.buyer!r}")
        seller = owners.setdefault(fill.ask_id, fill.seller)
        if seller != fill.seller:
            raise ValueError(f"order {fill.ask_id} has two owners: {seller!r} and {fill.seller!r}")
    return owners


def _encode_fills(fills: tuple[TradeFill, ...], positions: Mapping[str, int]) -> bytes:
    numbers: list[int] = []
    bid = ask = price_minor = 0
    for fill in fills:
        bid_before, ask_before, price_before = bid, ask, price_minor
        bid, ask, price_minor = positions[fill.bid_id], positions[fill.ask_id], fill.price_minor
        numbers += (
            zigzag(bid - bid_before) << 1 | (fill.taker_side is _SELL),
            zigzag(ask - ask_before),
            zigzag(price_minor - price_before),
            fill.quantity,
        )
    return encode_varints(numbers)


def _encode_fees(fills: tuple[TradeFill, ...], rates: Fees) -> bytes:
    numbers: list[int] = []
    for fill in fills:
        buyer_fee_minor, seller_fee_minor = fees_at(rates, fill.taker_side, fill.price_minor * fill.quantity)
        numbers += zigzag(fill.buyer_fee_minor - buyer_fee_minor), zigzag(fill.seller_fee_minor - seller_fee_minor)
    return encode_varints(numbers)


def fees_at(rates: Fees, taker_side: Side, value_minor: int) -> tuple[int, int]:
    """Return the buyer's fee and the seller's at these rates."""
    maker, taker = fee_minor(value_minor, rates.maker_bps), fee_minor(value_minor, rates.taker_bps)
    return (taker, maker) if taker_side is _BUY else (maker, taker)


def _encode_releases(commit: TapeCommit) -> bytes:
    costs, traded = by_order(commit.fills)
    numbers: list[int] = []
    for order_id, _player, side, released, closed in commit.orders:
        is_sell, excess = side is _SELL, zigzag(released - costs[order_id])
        if closed is None:
            numbers += is_sell, excess
            continue
        traded_before = closed.quantity - closed.withdrawn - traded[order_id]
        if traded_before < 0 or (closed.reason is None and closed.withdrawn):
            raise ValueError(f"order {order_id} of {traded[order_id]} traded units closes as {closed}")
        numbers += _ending_code(closed) << 2 | (traded_before > 0) << 1 | is_sell, excess
        if traded_before:
            numbers.append(traded_before)
        if closed.reason is not None:
            numbers.append(closed.withdrawn)
    return encode_varints(numbers)


def by_order(fills: tuple[TradeFill, ...]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return what the fills cost each order's hold, and the units each traded; 0 for an order without fills."""
    costs: defaultdict[str, int] = defaultdict(int)
    traded: defaultdict[str, int] = defaultdict(int)
    for fill in fills:
        quantity = fill.quantity
        costs[fill.bid_id] += fill.price_minor * quantity + fill.buyer_fee_minor
        costs[fill.ask_id] += quantity
        traded[fill.bid_id] += quantity
        traded[fill.ask_id] += quantity
    return costs, traded


def _ending_code(closed: Closing) -> int:
    code = _ENDING_CODES.get((closed.status, closed.reason))
    if code is None:
        raise ValueError(f"no order ends as {closed.status} for the reason {closed.reason}")
    return code


def _id_bytes(order_id: str) -> bytes:
    raw = uuid_bytes(order_id)
    if raw is None:
        raise ValueError(f"order id {order_id!r} is not the canonical text of a UUID")
    return raw


def _player_value(player: str) -> str | bytes:
    return uuid_bytes(player) or player

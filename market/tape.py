"""The tape: what each matcher commit traded, and how one commit is laid out as one compact item.

A commit of 90 fills takes about 5 KB instead of 20: a transactional write pays two units per KB, so the layout decides
what a trade record costs. Each order is named once (16 bytes), each player once, a fill is a handful of small numbers:

===================  =====================================================================================
``material``         str, partition key
``sequence``         int, sort key: 1, 2, 3 … without gaps for each material
``received_at_ms``   int, epoch ms at which the matcher started on the batch
``committed_at_ms``  int, epoch ms at which it wrote this commit
``orders``           bytes, the ids of all orders traded, 16 bytes each
``players``          list, each player once: 16 bytes if the id is a UUID's canonical text, else the text itself
``owners``           bytes, for each order the position of its player, as varints
``fills``            bytes, for each fill four varints: position of the bid × 2 + (1 if the ask was the taker), position
                     of the ask, price_minor, quantity
===================  =====================================================================================

The last four are absent from a commit without fills. Varints are unsigned LEB128: seven bits a byte, lowest first, the
high bit set on all but the last (DWARF 5, §7.6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from market.order_book import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PlainValue: TypeAlias = "str | int | bytes | list[PlainValue]"
"""What an encoded commit's attributes hold."""

_T = TypeVar("_T")
_ID_BYTES = 16
_FIELDS_PER_FILL = 4
_LONGEST_VARINT = 70  # bits; no number on the tape has more


@dataclass(frozen=True, slots=True)
class TradeFill:
    """One trade: its number within the commit (from 1), both sides, the resting order's price, the quantity."""

    n: int
    bid_id: str
    buyer: str
    ask_id: str
    seller: str
    price_minor: int
    quantity: int
    taker_side: Side


@dataclass(frozen=True, slots=True)
class TapeCommit:
    """One commit of the matcher: its place on the material's tape, its times in epoch ms, its fills in order."""

    material: str
    sequence: int
    committed_at_ms: int
    received_at_ms: int
    fills: tuple[TradeFill, ...]


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
        An order id that is not canonical UUID text, fills numbered otherwise, one order with two owners.
    """
    item: dict[str, PlainValue] = {
        "material": commit.material,
        "sequence": commit.sequence,
        "received_at_ms": commit.received_at_ms,
        "committed_at_ms": commit.committed_at_ms,
    }
    if not commit.fills:
        return item
    owners: dict[str, str] = {}  # order id → player, in order of first appearance
    order_position: dict[str, int] = {}
    numbers = bytearray()
    for n, fill in enumerate(commit.fills, 1):
        if fill.n != n:
            raise ValueError(f"fill {n} of {commit.material}-{commit.sequence} is numbered {fill.n}")
        for order_id, player in ((fill.bid_id, fill.buyer), (fill.ask_id, fill.seller)):
            if owners.setdefault(order_id, player) != player:
                raise ValueError(f"order {order_id} has two owners: {owners[order_id]!r} and {player!r}")
            order_position.setdefault(order_id, len(order_position))
        _append_varint(numbers, order_position[fill.bid_id] << 1 | (fill.taker_side is Side.SELL))
        _append_varint(numbers, order_position[fill.ask_id])
        _append_varint(numbers, fill.price_minor)
        _append_varint(numbers, fill.quantity)
    player_position = {player: position for position, player in enumerate(dict.fromkeys(owners.values()))}
    owner_numbers = bytearray()
    for player in owners.values():
        _append_varint(owner_numbers, player_position[player])
    item["orders"] = b"".join(map(_id_bytes, owners))
    item["players"] = [_player_value(player) for player in player_position]
    item["owners"] = bytes(owner_numbers)
    item["fills"] = bytes(numbers)
    return item


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
    return TapeCommit(
        material=_typed(item["material"], str),
        sequence=_typed(item["sequence"], int),
        committed_at_ms=_typed(item["committed_at_ms"], int),
        received_at_ms=_typed(item["received_at_ms"], int),
        fills=tuple(_fills(item)) if "fills" in item else (),
    )


def _fills(item: Mapping[str, object]) -> Iterator[TradeFill]:
    ids = _typed(item["orders"], bytes)
    if len(ids) % _ID_BYTES:
        raise ValueError(f"orders has {len(ids)} bytes, not a multiple of {_ID_BYTES}")
    orders = [_id_text(ids[start : start + _ID_BYTES]) for start in range(0, len(ids), _ID_BYTES)]
    players = [_player_text(value) for value in cast("list[object]", _typed(item["players"], list))]
    owners = [players[position] for position in _varints(_typed(item["owners"], bytes))]
    numbers = list(_varints(_typed(item["fills"], bytes)))
    if len(numbers) % _FIELDS_PER_FILL or len(owners) != len(orders):
        raise ValueError(f"{len(numbers)} fill numbers and {len(owners)} owners of {len(orders)} orders do not add up")
    for index in range(0, len(numbers), _FIELDS_PER_FILL):
        bid, ask, price_minor, quantity = numbers[index : index + _FIELDS_PER_FILL]
        yield TradeFill(
            n=index // _FIELDS_PER_FILL + 1,
            bid_id=orders[bid >> 1],
            buyer=owners[bid >> 1],
            ask_id=orders[ask],
            seller=owners[ask],
            price_minor=price_minor,
            quantity=quantity,
            taker_side=Side.SELL if bid & 1 else Side.BUY,
        )


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


def _append_varint(buffer: bytearray, number: int) -> None:
    if number < 0:
        raise ValueError(f"{number} is negative: the tape holds positions, prices and quantities only")
    while number > 0x7F:
        buffer.append(number & 0x7F | 0x80)
        number >>= 7
    buffer.append(number)


def _varints(buffer: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in buffer:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > _LONGEST_VARINT:
                raise ValueError("a varint is longer than any number on the tape")
        else:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("the last varint is cut off")


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r:.80}")
    return cast("_T", value)

"""From matching to commits: each touched order once, in its final state, as few transactions as will hold them.

A commit is what one DynamoDB transaction writes: at most 100 items, one of them the tape's. It is cut only between
orders, with one exception: a taker that sweeps more makers than fit in one transaction is cut inside. Its first parts
leave a bid standing as ``taking``: still the taker, so it goes on at the asks' prices whenever the book is next read.
An ask cut inside needs no such mark, for what is left of it still crosses. Either is marked ``immediate`` if what is
left at the end must not stand. An order and the one it replaces change places in one commit.

Bytes need no counting. The largest item is the tape's: 99 items are at most 99 orders with at most 98 fills (each fill
closes an order), which is under 9 KB of ids and numbers, fees and releases included, plus the players' ids, at most
2 KB each as they are partition keys: half of the 400 KB an item may have. All other actions carry one key and a few
numbers, or an arriving order as it is stored, at most 12 KB: under half of the 4 MB a transaction may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from market.matching.ledger import Ledger
from market.matching.order_kinds import RESTING, SELLING
from market.matching.steps import Placement
from market.side import Side
from market.tables import OpenAsk, StandingBid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.matching.changes import Commit
    from market.matching.steps import Step, Trade

MOST_ITEMS: Final = 100
"""Actions of one transaction: TransactWriteItems, Amazon DynamoDB API Reference."""

_ITEMS_OF_BOOK_ORDER: Final = 2  # its item of the book, and its record
_ITEMS_OF_MAKER: Final = {Side.BUY: 1, Side.SELL: 2}  # by the taker's side: a fill leaves a seller's record alone


def cut_commits(
    material: str, head: int, steps: Iterable[Step], *, most_items: int = MOST_ITEMS, one_order: bool = False
) -> Iterator[Commit]:
    """Cut a batch into commits.

    Parameters
    ----------
    material
        Whose book it is.
    head
        Sequence of the tape's last commit, 0 for an empty tape; the commits follow it without gaps.
    steps
        As `market.matching.engine.match` yields them; consumed as the commits are.
    most_items
        Items of one commit, the tape's included; at least 5, so that an order can replace another.
    one_order
        Cut after every order: isolates one that can not be committed.

    Yields
    ------
    Commit
        In the order to be written. Each item is in a commit at most once; its state before is the one read, or the one
        an earlier commit left.
    """
    ledger = Ledger(material, head)
    room = most_items - 1
    for step in steps:
        if isinstance(step, Placement):
            for part in _parts(step, room):
                if ledger.items and (one_order or (ledger.items + part.items > room and _adds(ledger, part) > room)):
                    yield ledger.seal()
                ledger.place(part.placement, part.trades, first=part.first, last=part.last)
        else:
            if ledger.items and (one_order or ledger.items + _ITEMS_OF_BOOK_ORDER > room):
                yield ledger.seal()
            ledger.change(step)
    if ledger.items:
        yield ledger.seal()


def items_of_sweep(taker_side: Side, makers: int, withdrawn: int) -> int:
    """Return how many items, at most, it takes to write a taker's turn after which it does not rest.

    Parameters
    ----------
    taker_side
        Which side takes.
    makers
        Orders it trades with.
    withdrawn
        Orders that close with it.
    """
    return 1 + makers * _ITEMS_OF_MAKER[taker_side] + withdrawn * _ITEMS_OF_BOOK_ORDER


class _Part(NamedTuple):
    """A placement, or a piece of one: all but the last piece leave the taker in the book; `items` it takes at most."""

    placement: Placement
    trades: tuple[Trade, ...]
    first: bool
    last: bool
    items: int


def _parts(placement: Placement, room: int) -> Iterator[_Part]:
    taker, trades = placement.taker, placement.trades
    side = Side.SELL if isinstance(taker, SELLING) else Side.BUY
    per_maker = _ITEMS_OF_MAKER[side]
    match taker:
        case StandingBid():
            own = 2
        case OpenAsk():  # its seller's record only if it closes
            own = 1 if placement.ending is None else 2
        case _:
            own = 1 if placement.rests is None else 2
    opening = 0 if placement.replaced is None else _ITEMS_OF_BOOK_ORDER
    closing = _ITEMS_OF_BOOK_ORDER * len(placement.withdrawn)
    first, left = True, len(trades)
    while (items := own + opening + left * per_maker + closing) > room:
        if not isinstance(taker, OpenAsk):
            own = 2  # what goes on is in the book meanwhile
        count = min((room - own - opening) // per_maker, left)
        yield _Part(placement, trades[:count], first, False, own + opening + count * per_maker)
        trades, left, first, opening = trades[count:], left - count, False, 0
    yield _Part(placement, trades, first, True, items)


def _adds(ledger: Ledger, part: _Part) -> int:
    """Return how many items the draft would have with a part, at most."""
    placement = part.placement
    orders = [trade.maker for trade in part.trades]
    if isinstance(placement.taker, RESTING):
        orders.append(placement.taker)
    known = sum(min(ledger.drafted(order), 1 if isinstance(order, OpenAsk) else 2) for order in orders)
    return part.items + ledger.items - known

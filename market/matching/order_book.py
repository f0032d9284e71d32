"""Limit order book of one material: price-time priority, one thread, a state that is a function of its input."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from market.side import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TimeInForce(StrEnum):
    """What becomes of the quantity that finds no match at once: it rests in the book, or it is dropped."""

    GOOD_TIL_CANCELED = "GOOD_TIL_CANCELED"
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"


class Fill(NamedTuple):
    """One trade between a resting order (maker) and an arriving one (taker), at the resting order's price."""

    maker_id: str
    taker_id: str
    price_minor: int
    quantity: int


class RestingOrder(NamedTuple):
    """An order that stands in the book; `quantity` is its total, `remaining` the part still open."""

    order_id: str
    side: Side
    price_minor: int
    quantity: int
    remaining: int


class DepthLevel(NamedTuple):
    """All orders of one side at one price, summed: open quantity and number of orders."""

    price_minor: int
    quantity: int
    orders: int


class DuplicateOrderError(ValueError):
    """An order with this id already rests in the book."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id!r} already rests in the book: every open order needs its own id")
        self.order_id = order_id


class UnknownOrderError(LookupError):
    """No order with this id rests in the book: it was never placed, or it is filled or canceled."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"order {order_id!r} does not rest in the book: never placed, filled or canceled")
        self.order_id = order_id


_RECENT_ORDERS = 512

# Members bound once: an attribute look-up on an Enum class runs Python code on every access in CPython 3.11.
_BUY = Side.BUY
_SELL = Side.SELL
_GOOD_TIL_CANCELED = TimeInForce.GOOD_TIL_CANCELED
_IMMEDIATE_OR_CANCEL = TimeInForce.IMMEDIATE_OR_CANCEL
# Half the time of `Fill(…)`, which goes through a function written in Python.
_new_fill: Callable[[type[Fill], tuple[str, str, int, int]], Fill] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class OrderBook:
    """Match limit and immediate-or-cancel orders of both sides by price, then by time of arrival.

    A fill is made at the resting order's price. A partial fill keeps the resting order's place. After every call the
    book is uncrossed: the best bid is below the best ask. Nothing is deleted lazily, so memory is proportional to the
    open orders. Time comes in only as the sequence of calls; the book reads no clock. Not thread-safe.

    Resting, matching and canceling an order take O(log L) comparisons among the L price levels of a side, whatever
    the number of orders at a level. Creating or removing a level also moves the list of the prices better than it.

    Examples
    --------
    >>> book = OrderBook()
    >>> book.place("ask-1", Side.SELL, price_minor=1250, quantity=10)
    []
    >>> book.place("bid-1", Side.BUY, price_minor=1300, quantity=4)
    [Fill(maker_id='ask-1', taker_id='bid-1', price_minor=1250, quantity=4)]
    >>> book.remaining("ask-1")
    6
    """

    # A price is kept as a signed key: +price for a buy, -price for a sell. So on either side the best price is the
    # highest key (the last of a sorted list), one dict holds the levels of both sides, a key tells its side, and
    # an order with key k trades with an opposite level m exactly when m >= -k. One code path serves both sides.
    #
    # Orders are found by id in two dicts: they enter the small `_recent`, and move to `_older` together whenever it is
    # full. An id that sorts after all ids before it (as time-ordered uuids do) is new without a look into either. So
    # the orders that come and go near the best price never touch the large dict, whose memory, in a deep book, is not
    # in the processor's caches: with one dict a book of 10,000 orders is a fifth slower than one of 100.
    __slots__ = ("_buy_keys", "_highest_id", "_levels", "_older", "_recent", "_sell_keys")

    def __init__(self) -> None:
        self._buy_keys: list[int] = []
        self._sell_keys: list[int] = []
        self._levels: dict[int, OrderedDict[str, int]] = {}  # key → order id → remaining, in order of arrival
        self._recent: dict[str, tuple[int, int]] = {}  # order id → (key, total quantity)
        self._older: dict[str, tuple[int, int]] = {}
        self._highest_id = ""

    def place(
        self,
        order_id: str,
        side: Side,
        price_minor: int,
        quantity: int,
        time_in_force: TimeInForce = _GOOD_TIL_CANCELED,
    ) -> list[Fill]:
        """Match an arriving order; what finds no match rests in the book, unless immediate-or-cancel.

        Parameters
        ----------
        order_id
            Its name; no resting order has the same.
        side
            `Side.BUY` or `Side.SELL`.
        price_minor
            Limit: the highest price a buy pays, the lowest a sell takes; smallest currency units, at least 1.
        quantity
            Units wanted, at least 1.
        time_in_force
            `TimeInForce.GOOD_TIL_CANCELED` or `TimeInForce.IMMEDIATE_OR_CANCEL`.

        Returns
        -------
        list[Fill]
            Trades in the order they happened: best price first, at one price the earliest arrival first.

        Raises
        ------
        DuplicateOrderError
            If an order with this id rests in the book.
        TypeError, ValueError
            If side, price, quantity or time in force is not what is asked above. The book is as before.
        """
        key = _key(side, price_minor)
        if type(quantity) is not int or quantity < 1:
            raise _not_positive("quantity", quantity)
        if order_id > self._highest_id:
            self._highest_id = order_id
        elif order_id in self:
            raise DuplicateOrderError(order_id)
        if time_in_force is _GOOD_TIL_CANCELED:
            return self._enter(order_id, key, quantity, quantity, True)
        if time_in_force is _IMMEDIATE_OR_CANCEL:
            return self._enter(order_id, key, quantity, quantity, False)
        raise TypeError(f"time_in_force must be a TimeInForce, not {time_in_force!r}")

    def rest(self, order_id: str, side: Side, price_minor: int, remaining: int, *, filled: int = 0) -> None:
        """Load an order that already rests elsewhere (a stored book), behind those at its price, without matching.

        Parameters
        ----------
        order_id, side, price_minor
            As for `place`.
        remaining
            Units still open, at least 1.
        filled
            Units traded before, at least 0; only `replace` needs them, as it speaks of the total.

        Raises
        ------
        DuplicateOrderError
            If an order with this id rests in the book.
        TypeError, ValueError
            If an argument is not what is asked above, or the price would cross the book. The book is as before.
        """
        key = _key(side, price_minor)
        if type(remaining) is not int or remaining < 1:
            raise _not_positive("remaining", remaining)
        if type(filled) is not int or filled < 0:
            raise ValueError(f"filled must be an int of at least 0, not {filled!r}")
        if order_id > self._highest_id:
            self._highest_id = order_id
        elif order_id in self:
            raise DuplicateOrderError(order_id)
        opposite = self._sell_keys if key > 0 else self._buy_keys
        if opposite and opposite[-1] >= -key:
            raise ValueError(
                f"order {order_id!r}: {side} at {price_minor} crosses the opposite best price {abs(opposite[-1])}, "
                "so it cannot be resting: place it instead"
            )
        self._enqueue(order_id, key, remaining, remaining + filled)

    def cancel(self, order_id: str) -> int:
        """Withdraw a resting order.

        Returns
        -------
        int
            Quantity withdrawn: what was still open.

        Raises
        ------
        UnknownOrderError
            If no such order rests in the book.
        """
        placed = self._recent.pop(order_id, None) or self._older.pop(order_id, None)
        if placed is None:
            raise UnknownOrderError(order_id)
        key = placed[0]
        level = self._levels[key]
        remaining = level.pop(order_id)
        if not level:
            del self._levels[key]
            keys = self._buy_keys if key > 0 else self._sell_keys
            del keys[bisect_left(keys, key, _search_start(keys, key))]
        return remaining

    def replace(self, order_id: str, price_minor: int, quantity: int) -> list[Fill]:
        """Change price or quantity of a resting order.

        A smaller quantity at the same price keeps the order's place. Any other change takes the order out and lets it
        arrive anew: it trades at once if it now crosses, and what is left goes to the back of its price level. Nothing
        changes for an order that already has this price and quantity.

        Parameters
        ----------
        order_id
            The resting order.
        price_minor
            The new limit, smallest currency units, at least 1.
        quantity
            The new total in units, what is already filled included.

        Returns
        -------
        list[Fill]
            Trades with the replaced order as taker.

        Raises
        ------
        UnknownOrderError
            If no such order rests in the book.
        TypeError, ValueError
            If price or quantity is not a positive int, or quantity is not above what is filled: to give up the open
            part, cancel. The book is as before.
        """
        if type(price_minor) is not int or price_minor < 1:
            raise _not_positive("price_minor", price_minor)
        if type(quantity) is not int or quantity < 1:
            raise _not_positive("quantity", quantity)
        placed = self._placed(order_id)
        if placed is None:
            raise UnknownOrderError(order_id)
        old_key, old_quantity = placed
        level = self._levels[old_key]
        filled = old_quantity - level[order_id]
        if quantity <= filled:
            raise ValueError(
                f"quantity {quantity} of order {order_id!r} must be above the {filled} already filled: "
                "to give up the open part, cancel it"
            )
        key = price_minor if old_key > 0 else -price_minor
        if key == old_key and quantity <= old_quantity:
            level[order_id] = quantity - filled
            (self._recent if order_id in self._recent else self._older)[order_id] = (key, quantity)
            return []
        self.cancel(order_id)
        return self._enter(order_id, key, quantity - filled, quantity, True)

    @property
    def best_bid(self) -> int | None:
        """Highest price of a resting buy in smallest currency units, or None if there is none."""
        return self._buy_keys[-1] if self._buy_keys else None

    @property
    def best_ask(self) -> int | None:
        """Lowest price of a resting sell in smallest currency units, or None if there is none."""
        return -self._sell_keys[-1] if self._sell_keys else None

    def depth(self, side: Side, levels: int) -> list[DepthLevel]:
        """Sum the orders of one side by price, best price first, at most `levels` prices."""
        best_first = reversed(self._keys(side)[-levels:]) if levels > 0 else ()
        return [
            DepthLevel(abs(key), sum(level.values()), len(level))
            for key, level in ((key, self._levels[key]) for key in best_first)
        ]

    def orders(self, side: Side) -> Iterator[RestingOrder]:
        """Yield one side's resting orders in the order they would trade; do not change the book meanwhile."""
        for key in reversed(self._keys(side)):
            for order_id, remaining in self._levels[key].items():
                _, quantity = self._recent.get(order_id) or self._older[order_id]
                yield RestingOrder(order_id, side, abs(key), quantity, remaining)

    def remaining(self, order_id: str) -> int:
        """Open quantity of an order in units; 0 for one that does not rest here (filled, canceled, never placed)."""
        placed = self._placed(order_id)
        return 0 if placed is None else self._levels[placed[0]][order_id]

    def __contains__(self, order_id: str) -> bool:
        """Whether the order rests in the book."""
        return order_id in self._recent or order_id in self._older

    def __len__(self) -> int:
        """Count the resting orders of both sides."""
        return len(self._recent) + len(self._older)

    def _placed(self, order_id: str) -> tuple[int, int] | None:
        return self._recent.get(order_id) or self._older.get(order_id)

    def _keys(self, side: Side) -> list[int]:
        if side is _BUY:
            return self._buy_keys
        if side is _SELL:
            return self._sell_keys
        raise TypeError(f"side must be a Side, not {side!r}")

    def _enter(self, order_id: str, key: int, remaining: int, quantity: int, rests: bool) -> list[Fill]:
        """Trade an order that is not in the book against the opposite side, then let it rest if it may."""
        fills: list[Fill] = []
        recent = self._recent
        opposite = self._sell_keys if key > 0 else self._buy_keys
        limit = -key
        while opposite and opposite[-1] >= limit:
            best = opposite[-1]
            level = self._levels[best]
            price_minor = -best if key > 0 else best
            while level:
                maker_id, open_quantity = next(iter(level.items()))
                if remaining < open_quantity:
                    level[maker_id] = open_quantity - remaining
                    fills.append(_new_fill(Fill, (maker_id, order_id, price_minor, remaining)))
                    return fills
                fills.append(_new_fill(Fill, (maker_id, order_id, price_minor, open_quantity)))
                del level[maker_id]
                if maker_id in recent:
                    del recent[maker_id]
                else:
                    del self._older[maker_id]
                remaining -= open_quantity
                if not remaining:
                    break
            if not level:
                opposite.pop()
                del self._levels[best]
            if not remaining:
                return fills
        if rests:
            self._enqueue(order_id, key, remaining, quantity)
        return fills

    def _enqueue(self, order_id: str, key: int, remaining: int, quantity: int) -> None:
        """Append an order to the level of its price."""
        level = self._levels.get(key)
        if level is None:
            level = self._levels[key] = OrderedDict()
            keys = self._buy_keys if key > 0 else self._sell_keys
            insort(keys, key, _search_start(keys, key))
        level[order_id] = remaining
        recent = self._recent
        recent[order_id] = (key, quantity)
        if len(recent) == _RECENT_ORDERS:
            self._older.update(recent)
            recent.clear()


def _search_start(keys: list[int], key: int) -> int:
    """Return where to start a binary search: most levels come and go near the best price, at the end of the list."""
    near_best = len(keys) - 16
    return near_best if near_best > 0 and keys[near_best] < key else 0


def _key(side: Side, price_minor: int) -> int:
    if type(price_minor) is not int or price_minor < 1:
        raise _not_positive("price_minor", price_minor)
    if side is _BUY:
        return price_minor
    if side is _SELL:
        return -price_minor
    raise TypeError(f"side must be a Side, not {side!r}")


def _not_positive(name: str, value: object) -> TypeError | ValueError:
    error = ValueError if type(value) is int else TypeError
    return error(f"{name} must be an int of at least 1, not {value!r}")

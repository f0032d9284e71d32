"""One side of the market, as the routes see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.accounts.ledger import Ledger
    from functions.api.new_orders import NewOrder
    from functions.api.order_marks import OrderMarks
    from functions.api.orders import Order, OrderPage
    from market.accounts.bookkeeping import MaterialLine


class OrdersStore(Protocol):
    """Data access of one side."""

    def place(self, order: NewOrder, /) -> Order:
        """Store a new order once for each client order id; return it, or the one stored earlier."""
        ...

    def earlier(self, player: str, client_order_id: str | None, fingerprint: str, /) -> Order | None:
        """Return the order stored earlier under a client order id; a `Problem` if that is a different one."""
        ...

    def find(self, player: str, order_id: str, /) -> Order | None:
        """Return the player's order as it stands."""
        ...

    def newest(self, player: str, before: str | None, limit: int, /) -> OrderPage:
        """Return a page of the player's orders, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the market.

    Parameters
    ----------
    collection
        ``asks`` or ``bids``: the path, and the name of the list in an answer.
    store, marks
        Its orders, and what players ask of them.
    ledger
        The players' accounts.
    open_orders
        Returns the ids of the open orders of this side on a line of an account.
    """

    collection: str
    store: OrdersStore
    marks: OrderMarks
    ledger: Ledger
    open_orders: Callable[[MaterialLine], tuple[str, ...]]

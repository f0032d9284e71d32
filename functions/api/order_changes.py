"""What players do with their orders: place, change, cancel. Refusals are told as the API's problems."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from functions.api.contention import with_retries
from functions.api.new_orders import NewOrder, Replacing
from functions.api.order_marks import CANCEL, REDUCE
from functions.api.problems import conflicting_field, insufficient, too_many_open_orders
from market.accounts.bookkeeping import InsufficientError, TooManyOpenOrdersError
from market.errors import InvalidFieldError, Rule
from market.requests.placing import PlaceOrder, TimeInForce
from market.requests.replacing import OpenOrder, Reduction, change_of

if TYPE_CHECKING:
    from functions.api.orders import Order
    from functions.api.problems import Problem
    from functions.api.side import Side
    from functions.clock import Clock
    from market.order_ids import OrderIdGenerator
    from market.requests.placing import PlacingRules
    from market.requests.replacing import ReplaceOrder
    from market.tracing import Origin


@dataclass(frozen=True, slots=True)
class OrderChanges:
    """Places, replaces and cancels orders of one side.

    Parameters
    ----------
    side
        Data access.
    rules
        The market's rules for orders.
    order_ids
        Makes the ids of new orders and of requests.
    clock
        Times them.
    """

    side: Side
    rules: PlacingRules
    order_ids: OrderIdGenerator
    clock: Clock

    def placed(self, order: NewOrder) -> Order:
        """Store a new order; return it, or the one placed earlier under its client order id.

        Raises
        ------
        Problem
            409, ``insufficient_funds``, ``insufficient_goods``, ``too_many_open_orders`` or ``conflict``; 503.
        """
        try:
            return self.side.store.place(order)
        except InsufficientError as shortage:
            quantity = str(order.wanted.quantity)
            raise insufficient(shortage, "quantity", quantity, self.rules.currency_digits) from shortage
        except TooManyOpenOrdersError as refused:
            raise too_many_open_orders(refused) from refused

    def placed_earlier(self, player: str, wanted: PlaceOrder) -> Order | None:
        """Return the order placed earlier under the client order id of one that is asked for, None if there is none.

        Raises
        ------
        Problem
            409, the client order id stands for another order.
        """
        return self.side.store.earlier(player, wanted.client_order_id, wanted.fingerprint())

    def replaced_earlier(self, player: str, order_id: str, wanted: ReplaceOrder) -> Order | None:
        """Return the order that took an order's place under the client order id of a change, None if there is none.

        Raises
        ------
        Problem
            409, the client order id stands for another order.
        """
        return self.side.store.earlier(player, wanted.client_order_id, wanted.fingerprint(order_id))

    def replaced(self, player: str, order: Order, wanted: ReplaceOrder, origin: Origin) -> Order:
        """Ask for an order to be changed.

        Parameters
        ----------
        player, order
            Whose order, and how it stands.
        wanted
            The change.
        origin
            The request.

        Returns
        -------
        Order
            The same object if it is as wanted; the order marked for a smaller quantity; or the order that takes its
            place when the matcher gets to it: a new one, or the one asked for earlier under the client order id.

        Raises
        ------
        InvalidFieldError
            Rule ``minimum_value``.
        Problem
            409, the order is closed or about to be, has no limit, or is filled as far as wanted; or as for `placed`.
        """
        if not order.is_open or order.request == CANCEL:
            raise _closed(order)
        if order.limit_minor is None:
            error = InvalidFieldError("id", order.order_id, Rule.LIMIT_ORDER, "the id of a limit order")
            raise conflicting_field(error)
        if wanted.quantity is not None and wanted.quantity <= order.filled:
            requirement = f"more than the {order.filled} that are filled"
            raise conflicting_field(InvalidFieldError("quantity", str(wanted.quantity), Rule.ABOVE_FILLED, requirement))
        open_order = OpenOrder(
            limit_minor=order.limit_minor,
            quantity=order.quantity,
            reduced_to=order.request_quantity,
            filled=order.filled,
            fee_bps=order.fee_bps,
        )
        match change_of(open_order, wanted, self.rules):
            case None:
                return order
            case Reduction(quantity):
                return self._reduced(player, order, quantity, origin)
            case replacement:
                replacing = Replacing(order.order_id, open_order, replacement, wanted.fingerprint(order.order_id))
                return self._replaced(player, order, replacing, wanted.client_order_id, origin)

    def canceled(self, player: str, order: Order, origin: Origin) -> Order:
        """Ask for an order to be canceled; return it, marked.

        Raises
        ------
        Problem
            409, the order is closed; 503.
        """
        if not order.is_open or not self.side.marks.cancel(player, order.order_id, self.order_ids.next_id(), origin):
            raise _closed(order)
        return replace(order, request=CANCEL, request_quantity=None)

    def all_canceled(self, player: str, material: str | None, origin: Origin) -> list[str]:
        """Ask for all open orders to be canceled, or those of one material; return their ids, oldest first.

        Raises
        ------
        Problem
            503: some orders are not marked; it is safe to repeat.
        """
        account = with_retries(lambda: self.side.ledger.account(player))
        order_ids = sorted(
            order_id
            for name, line in account.lines.items()
            if material in (None, name)
            for order_id in self.side.open_orders(line)
        )
        request_ids = [self.order_ids.next_id() for _ in order_ids]
        return self.side.marks.cancel_all(player, order_ids, request_ids, origin)

    def _reduced(self, player: str, order: Order, quantity: int, origin: Origin) -> Order:
        if not self.side.marks.reduce(player, order.order_id, self.order_ids.next_id(), quantity, origin):
            raise _closed(order)
        return replace(order, request=REDUCE, request_quantity=quantity)

    def _replaced(
        self, player: str, order: Order, replacing: Replacing, client_order_id: str | None, origin: Origin
    ) -> Order:
        new = PlaceOrder(
            material=order.material,
            quantity=replacing.replacement.quantity,
            limit_minor=replacing.replacement.limit_minor,
            time_in_force=TimeInForce(order.time_in_force),
            expires_at_ms=order.expires_at_ms,
            post_only=order.post_only,
            client_order_id=client_order_id,
        )
        return self.placed(NewOrder(player, self.order_ids.next_id(), new, self.clock(), origin, replacing))


def _closed(order: Order) -> Problem:
    error = InvalidFieldError("id", order.order_id, Rule.OPEN_ORDER, "the id of an order that is open, and to stay so")
    return conflicting_field(error, "order_closed")

"""Data access of the buy side: placing bids, and a buyer's own bids as the matcher has left them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.contention import with_retries
from functions.api.escrow import Placement
from functions.api.orders import PENDING, OrderPage, order_of
from functions.api.own_records import newest_records, record_put, stored_record
from market.accounts.bookkeeping import MONEY, InsufficientError
from market.accounts.changes import placing_bid
from market.fees import hold_minor
from market.keys import HIGHEST_PRICE_MINOR
from market.requests.replacing import replacing_bid_hold_minor
from patterns.dynamodb.items import read_int, read_str

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from functions.api.escrow import Escrow
    from functions.api.new_orders import NewOrder
    from functions.api.orders import Order
    from market.accounts.bookkeeping import Account, Slice
    from patterns.dynamodb.items import Item


class BidsStore:
    """Bids, open and closed.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    bids_table
        Name of the table.
    escrow
        Stores bids together with the money they hold.
    fee_bps
        Highest fee a bid placed now can be charged, in basis points.
    tick_minor
        Lowest price, minor units.
    """

    def __init__(
        self, client: DynamoDBClient, bids_table: str, escrow: Escrow, *, fee_bps: int, tick_minor: int
    ) -> None:
        self._client = client
        self._bids_table = bids_table
        self._escrow = escrow
        self._fee_bps = fee_bps
        self._tick_minor = tick_minor

    def place(self, order: NewOrder) -> Order:
        """Store a new bid for the matcher and hold its money, once for each client order id.

        Returns
        -------
        Order
            The new bid, or, with another id, the one placed earlier under the client order id.

        Raises
        ------
        InsufficientError, TooManyOpenOrdersError, Problem
            As for `functions.api.escrow.Escrow.place`.
        """
        bid: Item = {}

        def prepare() -> Placement:
            nonlocal bid
            account = with_retries(lambda: self._escrow.ledger.account(order.player))
            changes = self._held(order, account)
            bid = order.record("buyer", "bid_id", order.wanted.bid_price_minor(), changes[0].held_minor)
            bid |= {"filled": 0, "status": PENDING, "fee_bps": self._fee_bps}
            return Placement(changes, (record_put(self._bids_table, bid),))

        bid_id = self._escrow.place(order, prepare)
        if bid_id == order.order_id:
            return _order(bid)
        earlier = self.find(order.player, bid_id)
        assert earlier is not None  # it was stored in one transaction with its client order id
        return earlier

    def earlier(self, buyer: str, client_order_id: str | None, fingerprint: str) -> Order | None:
        """Return the bid placed earlier under a client order id; see `functions.api.escrow.Escrow.earlier`."""
        bid_id = self._escrow.earlier(buyer, client_order_id, fingerprint)
        return None if bid_id is None else self.find(buyer, bid_id)

    def find(self, buyer: str, bid_id: str) -> Order | None:
        """Return the buyer's bid as it stands, None if this buyer has none of this id."""
        bid = stored_record(self._client, self._bids_table, "buyer", buyer, bid_id)
        return None if bid is None else _order(bid)

    def newest(self, buyer: str, before: str | None, limit: int) -> OrderPage:
        """Return a page of the buyer's bids, newest first.

        Parameters
        ----------
        buyer
            Whose bids.
        before
            Only bids placed before the one of this id; None starts at the newest.
        limit
            Most bids to return, 1..100.
        """
        page = newest_records(
            self._client, table=self._bids_table, owner="buyer", player=buyer, before=before, limit=limit
        )
        orders = tuple(map(_order, page.records))
        return OrderPage(orders, orders[-1].order_id if page.more else None)

    def _held(self, order: NewOrder, account: Account) -> Slice:
        material, wanted, replacing = order.wanted.material, order.wanted, order.replacing
        if wanted.limit_minor is None:
            return self._all_held(order, account)
        if replacing is None:
            need_minor = hold_minor(wanted.limit_minor, wanted.quantity, self._fee_bps)
        else:
            need_minor = replacing_bid_hold_minor(replacing.order, replacing.replacement, self._fee_bps)
        return placing_bid(account, material, need_minor, order.order_id)

    def _all_held(self, order: NewOrder, account: Account) -> Slice:
        """Hold all the money there is, as far as it can ever be spent: a market bid's budget."""
        material, quantity = order.wanted.material, order.wanted.quantity
        most_minor = hold_minor(HIGHEST_PRICE_MINOR, quantity, self._fee_bps)
        try:
            changes = placing_bid(account, material, min(account.available_minor, most_minor), order.order_id)
        except InsufficientError as shortage:  # a transaction does not take the money of so many lines
            changes = placing_bid(account, material, shortage.available, order.order_id)
        budget_minor = changes[0].held_minor
        cheapest_minor = hold_minor(self._tick_minor, 1, self._fee_bps)
        if budget_minor < cheapest_minor:
            raise InsufficientError(MONEY, cheapest_minor, budget_minor)
        return changes


def _order(bid: Item) -> Order:
    return order_of(
        bid,
        "BUY",
        quantity=read_int(bid, "quantity"),
        filled=read_int(bid, "filled"),
        status=read_str(bid, "status"),
    )

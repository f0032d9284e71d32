"""Placing an order and holding what it needs, in one transaction, once.

A transaction that is refused says by its reasons, one for each action, what stood in the way: the order is stored
already (an attempt whose answer was lost), its client order id is taken, or its player lacks goods, money or room for
one more open order. Money may lie on other lines of the account than those read a moment before; then the account is
read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from functions.accounts.journal import journal_entries, order_cause
from functions.api.client_order_ids import find_pointer, order_of_pointer, pointer_put
from functions.api.contention import ATTEMPTS, with_retries
from functions.api.problems import unavailable
from functions.tracing import span
from market.accounts.bookkeeping import MONEY, InsufficientError
from patterns.dynamodb.refusals import cancellation_codes, cancellation_reasons

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from functions.accounts.ledger import Ledger
    from functions.api.express_lane import ExpressLane
    from functions.api.new_orders import NewOrder
    from market.accounts.bookkeeping import Slice


@dataclass(frozen=True, slots=True)
class Placement:
    """What placing an order writes: the account's changes, and the order's items.

    The first item is its player's record, the last one what the matcher is told of; they may be the same.
    """

    changes: Slice
    puts: tuple[TransactWriteItemTypeDef, ...]


@dataclass(frozen=True, slots=True)
class Escrow:
    """Stores the orders of one side together with what they hold.

    Parameters
    ----------
    client
        Low-level DynamoDB client.
    ledger
        The players' accounts.
    records_table, owner
        Table of the players' records of this side, and the name of its hash key.
    max_open_orders
        Open orders a player may have of this side in one material.
    express
        Tells the matcher of orders as soon as they are stored; None: the change stream does.
    """

    client: DynamoDBClient
    ledger: Ledger
    records_table: str
    owner: str
    max_open_orders: int
    express: ExpressLane | None = None

    def place(self, order: NewOrder, prepare: Callable[[], Placement]) -> str:
        """Store an order and hold what it needs. The matcher is told of an order that this call has stored.

        Parameters
        ----------
        order
            The order.
        prepare
            Returns what to write, from the account as it is. Called again only when money has moved between the lines
            of the account.

        Returns
        -------
        str
            Id of the order; another one than its own if it was placed earlier under its client order id.

        Raises
        ------
        InsufficientError, TooManyOpenOrdersError
            The player lacks something; nothing was changed.
        Problem
            409, the client order id stands for another order; 503, no answer says that the write got through.
        """
        # A replacement may be the one order too many: the replaced one closes when it is admitted.
        most = self.max_open_orders + (order.replacing is not None)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                placement = prepare()
            except InsufficientError:
                # What is missing may be held by this very order, placed by a request whose answer was lost.
                earlier = self.earlier(order.player, order.wanted.client_order_id, order.fingerprint)
                if earlier is None:
                    raise
                return earlier
            entries = journal_entries(placement.changes, order_cause(order.order_id), order.placed_at_ms)
            held = self.ledger.actions(placement.changes, entries, max_open_orders=most)
            actions = [*held, *placement.puts, *self._pointer(order)]
            # One token for each content: the same one with another would be refused.
            token = f"{order.order_id.replace('-', '')}-{attempt}"
            try:
                with span("store", trace_id=order.origin.trace_id):
                    with_retries(
                        lambda actions=actions, token=token: self.client.transact_write_items(
                            TransactItems=actions, ClientRequestToken=token
                        )
                    )
            except ClientError as error:
                codes = cancellation_codes(error)
                # The id is new and random: if it is taken, then by an attempt of this write whose answer was lost.
                if len(codes) == len(actions) and codes[len(held)] == "ConditionalCheckFailed":
                    return self._stored(order, placement)
                found = cancellation_reasons(error)[-1].get("Item") if order.wanted.client_order_id and codes else None
                if found:
                    return order_of_pointer(found, order.wanted.client_order_id, order.fingerprint)
                lacking = self.ledger.refusal(error, placement.changes, max_open_orders=most)
                if lacking is None:
                    raise
                if not isinstance(lacking, InsufficientError) or lacking.asset != MONEY:
                    raise lacking from error
            else:
                return self._stored(order, placement)
        raise unavailable()

    def earlier(self, player: str, client_order_id: str | None, fingerprint: str) -> str | None:
        """Return the id of the order placed earlier under a client order id, None if there is none.

        Raises
        ------
        Problem
            409, the client order id stands for another order.
        """
        if client_order_id is None:
            return None
        found = find_pointer(self.client, self.records_table, self.owner, player, client_order_id)
        return None if found is None else order_of_pointer(found, client_order_id, fingerprint)

    def _stored(self, order: NewOrder, placement: Placement) -> str:
        if self.express is not None:
            image = placement.puts[-1].get("Put", {}).get("Item", {})
            keys = ("material", "price_key") if "price_key" in image else (self.owner, "order_key")
            self.express.put("INSERT", image, keys, order.origin)
        return order.order_id

    def _pointer(self, order: NewOrder) -> list[TransactWriteItemTypeDef]:
        if order.wanted.client_order_id is None:
            return []
        return [
            pointer_put(
                table=self.records_table,
                owner=self.owner,
                player=order.player,
                client_order_id=order.wanted.client_order_id,
                order_id=order.order_id,
                fingerprint=order.fingerprint,
            )
        ]

"""The three routes that both sides of the market have: place an order, list one's own, look one up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from functions.api.http_api import Answer
from functions.api.json_body import read_json_object
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.problems import not_found
from market.errors import InvalidFieldError, Rule
from market.order_ids import ORDER_ID_PATTERN, OrderIdGenerator
from market.placing import PlacingRules, read_place_order
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.api.http_api import Routes
    from functions.api.orders import Order, OrderPage
    from functions.api.request import Request
    from functions.clock import Clock
    from functions.environment import PlacingEnvironment
    from market.placing import PlaceOrder


class OrdersStore(Protocol):
    """Data access of one side."""

    def place(self, player: str, request: PlaceOrder, order_id: str, placed_at_ms: int, /) -> Order:
        """Store a new order once for each client order id; return it, or the one stored earlier."""
        ...

    def find(self, player: str, order_id: str, /) -> Order | None:
        """Return the player's order as it stands."""
        ...

    def newest(self, player: str, before: str | None, limit: int, /) -> OrderPage:
        """Return a page of the player's orders, newest first."""
        ...


def order_routes(
    collection: str,
    *,
    placed_status: int,
    store: OrdersStore,
    environment: PlacingEnvironment,
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> Routes:
    """Return the routes of one side.

    Parameters
    ----------
    collection
        ``asks`` or ``bids``: the path, and the name of the list in an answer.
    placed_status
        HTTP status of a new order; one that was placed earlier under its client order id is answered 200.
    store
        Data access of the side.
    environment
        The market's rules for a new order.
    clock
        Times the orders and their ids.
    entropy
        Random bytes for ids, e.g. `os.urandom`.
    """
    rules = PlacingRules(
        materials=environment.materials,
        tick_minor=environment.tick_minor,
        currency_digits=environment.currency_digits,
        max_quantity=environment.max_quantity,
    )
    order_ids = OrderIdGenerator(clock, entropy)

    def place(request: Request) -> Answer:
        wanted = read_place_order(read_json_object(request), rules)
        order_id = order_ids.next_id()
        order = store.place(request.player, wanted, order_id, clock())
        status = placed_status if order.order_id == order_id else 200
        return Answer(status, order.as_json(rules.currency_digits), log={"order_id": order.order_id})

    def newest(request: Request) -> Answer:
        scope = (collection, request.player)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        page = store.newest(request.player, read_position(request.query, scope, ORDER_ID_PATTERN), limit)
        return Answer(
            200,
            {
                collection: [order.as_json(rules.currency_digits) for order in page.orders],
                "next": None if page.last is None else encode_page_token(page.last, scope),
            },
        )

    def find(request: Request, order_id: str) -> Answer:
        # What cannot be an id is no order's id: the same 404, and no other item of the table is within reach.
        order = store.find(request.player, order_id) if ORDER_ID_PATTERN.fullmatch(order_id) else None
        if order is None:
            raise not_found(InvalidFieldError("id", order_id, Rule.OWN_ORDER, f"the id of one of your {collection}"))
        return Answer(200, order.as_json(rules.currency_digits), log={"order_id": order_id})

    return {
        ("POST", f"/{collection}"): place,
        ("GET", f"/{collection}"): newest,
        ("GET", f"/{collection}/<order_id>"): find,
    }

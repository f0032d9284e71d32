"""The routes that both sides of the market have: place an order, list one's own, look one up, change it, cancel it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.api.http_api import Answer
from functions.api.json_body import read_json_object
from functions.api.new_orders import NewOrder
from functions.api.order_changes import OrderChanges
from functions.api.paging import DEFAULT_LIMIT, HIGHEST_LIMIT, read_position, read_whole_number
from functions.api.problems import not_found
from market.errors import InvalidFieldError, Rule
from market.materials import require_traded
from market.order_ids import ORDER_ID_PATTERN, OrderIdGenerator
from market.requests.placing import EndedOrderError, PlacingRules, read_place_order
from market.requests.replacing import read_replace_order
from patterns.dynamodb.page_token import encode_page_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.api.http_api import Routes
    from functions.api.orders import Order
    from functions.api.request import Request
    from functions.api.side import Side
    from functions.clock import Clock
    from functions.environment import PlacingEnvironment


def order_routes(
    side: Side,
    environment: PlacingEnvironment,
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> Routes:
    """Return the routes of one side.

    Parameters
    ----------
    side
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
        min_order_value_minor=environment.min_order_value_minor,
    )
    order_ids = OrderIdGenerator(clock, entropy)
    changes = OrderChanges(side, rules, order_ids, clock)

    def answer(status: int, order: Order) -> Answer:
        return Answer(status, order.as_json(rules.currency_digits), log={"order_id": order.order_id})

    def place(request: Request) -> Answer:
        now_ms = clock()
        try:
            wanted = read_place_order(read_json_object(request), rules, now_ms)
        except EndedOrderError as ended:
            earlier = changes.placed_earlier(request.player, ended.order)
            if earlier is None:
                raise
            return answer(200, earlier)
        order_id = order_ids.next_id()
        order = changes.placed(NewOrder(request.player, order_id, wanted, now_ms, request.origin))
        if order.order_id != order_id:
            return answer(200, order)
        return answer(201 if order.status == "NEW" else 202, order)

    def newest(request: Request) -> Answer:
        scope = (side.collection, request.player)
        limit = read_whole_number(request.query, "limit", default=DEFAULT_LIMIT, highest=HIGHEST_LIMIT)
        page = side.store.newest(request.player, read_position(request.query, scope, ORDER_ID_PATTERN), limit)
        return Answer(
            200,
            {
                side.collection: [order.as_json(rules.currency_digits) for order in page.orders],
                "next": None if page.last is None else encode_page_token(page.last, scope),
            },
        )

    def own(request: Request, order_id: str) -> Order:
        # What cannot be an id is no order's id: the same 404, and no other item of the table is within reach.
        order = side.store.find(request.player, order_id) if ORDER_ID_PATTERN.fullmatch(order_id) else None
        if order is None:
            requirement = f"the id of one of your {side.collection}"
            raise not_found(InvalidFieldError("id", order_id, Rule.OWN_ORDER, requirement))
        return order

    def find(request: Request, order_id: str) -> Answer:
        return answer(200, own(request, order_id))

    def replace(request: Request, order_id: str) -> Answer:
        wanted = read_replace_order(read_json_object(request), rules)
        order = own(request, order_id)
        # First of all: the order has made room for what the first request asked for.
        earlier = changes.replaced_earlier(request.player, order_id, wanted)
        if earlier is not None:
            return answer(200, earlier)
        changed = changes.replaced(request.player, order, wanted, request.origin)
        return answer(200 if changed is order else 202, changed)

    def cancel(request: Request, order_id: str) -> Answer:
        return answer(202, changes.canceled(request.player, own(request, order_id), request.origin))

    def cancel_all(request: Request) -> Answer:
        material = request.query.get("material")
        if material is not None:
            require_traded(material, rules.materials)
        return Answer(202, {"requested": changes.all_canceled(request.player, material, request.origin)})

    orders, order = f"/{side.collection}", f"/{side.collection}/<order_id>"
    return {
        ("POST", orders): place,
        ("GET", orders): newest,
        ("DELETE", orders): cancel_all,
        ("GET", order): find,
        ("PATCH", order): replace,
        ("DELETE", order): cancel,
    }

"""Commands of a player: sign in, place, change and cancel orders, look at them and at the market."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.failures import UnusableCommandError
from cli.players import PlayerPool
from cli.screen import listing, screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

DEFAULT_PLAYER = "player-01"
"""Who asks for what every signed-in player may see."""

_PAGE = 100
_DURATION = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Player = Annotated[str, typer.Option("--player", "-p", help="Name of the player; a new name is a new player.")]
Material = Annotated[str, typer.Argument(help="What is traded, e.g. copper.")]
Quantity = Annotated[int, typer.Argument(help="How many pieces, a whole number.")]
Price = Annotated[str | None, typer.Argument(help="Limit for one piece, e.g. 12.50; a market order has none.")]
OrderType = Annotated[str | None, typer.Option("--type", help="limit, or market: at once, at any price.")]
TimeInForce = Annotated[
    str | None,
    typer.Option("--time-in-force", help="GTC, GTD (with an end), IOC (at once), FOK (all at once or nothing)."),
]
ExpiresAt = Annotated[str | None, typer.Option("--expires-at", help="End of a GTD order, e.g. 2026-11-21T14:05:00Z.")]
ExpiresIn = Annotated[str | None, typer.Option("--expires-in", help="The same from now on, e.g. 90s, 15m, 8h, 30d.")]
PostOnly = Annotated[bool, typer.Option("--post-only", help="Rejected if it would trade at once.")]
ClientOrderId = Annotated[
    str | None, typer.Option("--client-order-id", help="Your own id of the order: sent twice, it is placed once.")
]


def token(ctx: typer.Context, player: Player) -> None:
    """Print an access token of a player."""
    typer.echo(PlayerPool(find_environment(ctx.obj)).mint_token(player))


def sell(
    ctx: typer.Context,
    *,
    material: Material,
    quantity: Quantity,
    price: Price = None,
    player: Player,
    order_type: OrderType = None,
    time_in_force: TimeInForce = None,
    expires_at: ExpiresAt = None,
    expires_in: ExpiresIn = None,
    post_only: PostOnly = False,
    client_order_id: ClientOrderId = None,
) -> None:
    """Offer goods: place an ask."""
    terms = _terms(
        price=price,
        order_type=order_type,
        time_in_force=time_in_force,
        expires_at=end_of(expires_at, expires_in),
        post_only=post_only,
        client_order_id=client_order_id,
    )
    _place(ctx, "/asks", player, {"material": material, "quantity": quantity, **terms})


def buy(
    ctx: typer.Context,
    *,
    material: Material,
    quantity: Quantity,
    price: Price = None,
    player: Player,
    order_type: OrderType = None,
    time_in_force: TimeInForce = None,
    expires_at: ExpiresAt = None,
    expires_in: ExpiresIn = None,
    post_only: PostOnly = False,
    client_order_id: ClientOrderId = None,
) -> None:
    """Ask for goods: place a bid. A market order buys for all the money there is, if it must."""
    terms = _terms(
        price=price,
        order_type=order_type,
        time_in_force=time_in_force,
        expires_at=end_of(expires_at, expires_in),
        post_only=post_only,
        client_order_id=client_order_id,
    )
    _place(ctx, "/bids", player, {"material": material, "quantity": quantity, **terms})


def _terms(
    *,
    price: str | None,
    order_type: str | None,
    time_in_force: str | None,
    expires_at: str | None,
    post_only: bool,
    client_order_id: str | None,
) -> dict[str, object]:
    """Return the body's fields as far as they were given: what goes together is the market's to say."""
    given: dict[str, object] = {
        "price": price,
        "type": order_type,
        "time_in_force": "GTD" if time_in_force is None and expires_at is not None else time_in_force,
        "expires_at": expires_at,
        "post_only": post_only or None,
        # With an id of its own, an order may be sent again after a lost answer.
        "client_order_id": client_order_id or uuid.uuid4().hex,
    }
    return {name: value for name, value in given.items() if value is not None}


def end_of(expires_at: str | None, expires_in: str | None) -> str | None:
    """Return when an order is to end, as ISO 8601 in UTC; None if it is not.

    Raises
    ------
    UnusableCommandError
        Both options are given, or the second is no duration.
    """
    if expires_in is None:
        return expires_at
    if expires_at is not None:
        raise UnusableCommandError("--expires-at and --expires-in exclude each other")
    duration = _DURATION.fullmatch(expires_in)
    if duration is None:
        raise UnusableCommandError(f"--expires-in {expires_in!r} must be a number and s, m, h or d, such as 90s")
    end = datetime.now(UTC) + timedelta(seconds=int(duration[1]) * _SECONDS[duration[2]])
    return end.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _place(ctx: typer.Context, path: str, player: str, body: Mapping[str, object]) -> None:
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        print_order(api.post(path, player_token, body).accepted())


def print_order(order: Mapping[str, Any]) -> None:
    """Print an order in one line: its terms, where it stands, what is asked of it."""
    price = "any price" if order["price"] is None else order["price"]
    standing = ", ".join(filter(None, (order["status"], order.get("reason"), _requested(order))))
    terms = f"{order['side']} {order['quantity']} {order['material']} at {price}"
    screen().print(f"{terms}: {standing}, id {order['id']}", markup=False, soft_wrap=True)


def _requested(order: Mapping[str, Any]) -> str | None:
    match order.get("request"):
        case None:
            return None
        case "REDUCE":
            return f"to become {order['request_quantity']}"
        case _:
            return "to be canceled"


def orders(
    ctx: typer.Context,
    player: Player,
    limit: Annotated[int, typer.Option(help="Show at most so many of each side, newest first.", min=1, max=1000)] = 20,
) -> None:
    """List a player's orders, newest first."""
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    numbers = ("price", "quantity", "filled")
    table = listing(f"orders of {player}", "side", "material", *numbers, "status", "id", numbers=numbers)
    with MarketApi(environment.api_url) as api:
        listed = [order for side in ("asks", "bids") for order in _listed(api, player_token, side, limit)]
    for order in sorted(listed, key=lambda order: str(order["placed_at"]), reverse=True):
        amounts = ("any" if order[name] is None else str(order[name]) for name in numbers)
        reason = order.get("reason") or _requested(order)
        status = f"{order['status']}\n{reason}" if reason else order["status"]
        table.add_row(f"{order['side']}{_kind(order)}", order["material"], *amounts, status, order["id"])
    _print_table(table)


def _kind(order: Mapping[str, Any]) -> str:
    """Say what is special about an order, on a line of its own."""
    kind = "market" if order.get("type") == "market" else order.get("time_in_force", "GTC")
    told = [kind] if kind != "GTC" else []
    return "".join(f"\n{text}" for text in (*told, *(("post-only",) if order.get("post_only") else ())))


def _listed(api: MarketApi, player_token: str, side: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page_token: str | None = None
    while len(found) < limit:
        query = {"limit": min(_PAGE, limit - len(found)), "next": page_token}
        page = api.get(f"/{side}", player_token, query).accepted()
        found += page[side]
        page_token = page["next"]
        if page_token is None:
            break
    return found


def book(
    ctx: typer.Context,
    material: Material,
    depth: Annotated[int, typer.Option(help="Price levels of each side.", min=1)] = 10,
    player: Player = DEFAULT_PLAYER,
) -> None:
    """Show the order book of a material, best prices in the middle."""
    environment = find_environment(ctx.obj)
    with MarketApi(environment.api_url) as api:
        path = path_of("materials", material, "book")
        shown = api.get(path, PlayerPool(environment).mint_token(player), {"depth": depth}).accepted()
    columns = ("price", "quantity", "orders")
    table = listing(f"{shown['material']} after commit {shown['sequence']}", "side", *columns, numbers=columns)
    levels = [("ask", level) for level in reversed(shown["asks"])] + [("bid", level) for level in shown["bids"]]
    for side, level in levels:
        cells = (str(level[field]) for field in columns)
        table.add_row(side, *cells, style="red" if side == "ask" else "green")
    _print_table(table)


def trades(
    ctx: typer.Context,
    material: Material,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1, max=100)] = 20,
    player: Player = DEFAULT_PLAYER,
) -> None:
    """List the trades of a material, newest first."""
    environment = find_environment(ctx.obj)
    with MarketApi(environment.api_url) as api:
        path = path_of("materials", material, "trades")
        page = api.get(path, PlayerPool(environment).mint_token(player), {"limit": limit}).accepted()
    columns = ("at", "price", "quantity", "taker_side", "id")
    table = listing(f"trades of {material}", *columns, numbers=("price", "quantity"))
    for trade in page["trades"]:
        table.add_row(*(str(trade[column]) for column in columns))
    _print_table(table)


def _print_table(table: Table) -> None:
    screen().print(table if table.row_count else f"{table.title}: none")

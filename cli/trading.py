"""Commands of a player: sign in, place orders, look at one's orders and at the market."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.players import PlayerPool
from cli.screen import listing, screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

DEFAULT_PLAYER = "player-01"
"""Who asks for what every signed-in player may see."""

_PAGE = 100

Player = Annotated[str, typer.Option("--player", "-p", help="Name of the player; a new name is a new player.")]
Material = Annotated[str, typer.Argument(help="What is traded, e.g. copper.")]
Quantity = Annotated[int, typer.Argument(help="How many pieces, a whole number.")]
Price = Annotated[str, typer.Argument(help="Limit for one piece, e.g. 12.50.")]
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
    price: Price,
    player: Player,
    client_order_id: ClientOrderId = None,
) -> None:
    """Offer goods: place an ask."""
    body = {"material": material, "quantity": quantity, "price": price}
    _place(ctx, "/asks", player, body, client_order_id)


def buy(
    ctx: typer.Context,
    *,
    material: Material,
    quantity: Quantity,
    price: Price,
    player: Player,
    client_order_id: ClientOrderId = None,
) -> None:
    """Ask for goods: place a bid."""
    body = {"material": material, "quantity": quantity, "price": price}
    _place(ctx, "/bids", player, body, client_order_id)


def _place(ctx: typer.Context, path: str, player: str, body: Mapping[str, object], client_order_id: str | None) -> None:
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        # With an id of its own, an order may be sent again after a lost answer.
        order = api.post(
            path, player_token, {**body, "client_order_id": client_order_id or uuid.uuid4().hex}
        ).accepted()
    terms = f"{order['side']} {order['quantity']} {order['material']} at {order['price']}"
    screen().print(f"{terms}: {order['status']}, id {order['id']}", markup=False)


def orders(
    ctx: typer.Context,
    player: Player,
    limit: Annotated[int, typer.Option(help="Show at most so many of each side, newest first.", min=1, max=1000)] = 20,
) -> None:
    """List a player's orders, newest first."""
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    columns = ("side", "material", "price", "quantity", "filled", "status", "id")
    table = listing(f"orders of {player}", *columns, numbers=("price", "quantity", "filled"))
    with MarketApi(environment.api_url) as api:
        listed = [order for side in ("asks", "bids") for order in _listed(api, player_token, side, limit)]
    for order in sorted(listed, key=lambda order: str(order["placed_at"]), reverse=True):
        table.add_row(*(str(order[column]) for column in columns))
    _print_table(table)


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

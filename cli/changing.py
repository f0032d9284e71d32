"""Commands that change a player's open orders: cancel one, cancel all, replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.failures import UnusableCommandError
from cli.players import PlayerPool
from cli.screen import screen
from cli.trading import Player, print_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.api import Reply

_COLLECTIONS = {"sell": "asks", "buy": "bids"}

OrderId = Annotated[str, typer.Argument(metavar="ORDER", help="Id of an open ask or bid.")]


def cancel(ctx: typer.Context, order_id: OrderId, player: Player) -> None:
    """Cancel an open order: what has traded stays, the rest is given back when the matcher gets to it."""
    _change(ctx, player, order_id, lambda api, path, token: api.delete(path, token))


def cancel_all(
    ctx: typer.Context,
    player: Player,
    side: Annotated[str | None, typer.Option("--side", help="Only asks (sell), or only bids (buy).")] = None,
    material: Annotated[str | None, typer.Option("--material", help="Only orders in this material.")] = None,
) -> None:
    """Cancel all of a player's open orders."""
    if side is not None and side not in _COLLECTIONS:
        raise UnusableCommandError(f"--side {side!r} must be sell or buy")
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        for name, collection in _COLLECTIONS.items():
            if side in (None, name):
                answer = api.delete(f"/{collection}", player_token, {"material": material}).accepted()
                for order_id in answer["requested"]:
                    screen().print(f"{name} order to be canceled, id {order_id}", markup=False)


def replace(
    ctx: typer.Context,
    order_id: OrderId,
    player: Player,
    quantity: Annotated[
        int | None, typer.Option("--quantity", help="New quantity in all, what has traded included.")
    ] = None,
    price: Annotated[str | None, typer.Option("--price", help="New limit for one piece.")] = None,
) -> None:
    """Change an open order. A smaller quantity keeps its place; anything else is a new order in place of the old."""
    if quantity is None and price is None:
        raise UnusableCommandError("give --quantity, --price or both")
    wanted = {"quantity": quantity, "price": price}
    body = {name: value for name, value in wanted.items() if value is not None}
    _change(ctx, player, order_id, lambda api, path, token: api.patch(path, token, body))


def _change(ctx: typer.Context, player: str, order_id: str, ask: Callable[[MarketApi, str, str], Reply]) -> None:
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        # An id does not say its side: what is none of one side's orders is looked for on the other.
        reply = ask(api, path_of("asks", order_id), player_token)
        if reply.status == 404:
            reply = ask(api, path_of("bids", order_id), player_token)
        print_order(reply.accepted())

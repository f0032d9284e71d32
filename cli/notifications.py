"""The command that tells a player which of their orders are complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi
from cli.environments import find_environment
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.trading import Player  # noqa: TC001  # typer reads it

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = 100


def notifications(
    ctx: typer.Context,
    *,
    player: Player,
    limit: Annotated[int, typer.Option(help="Show at most so many, newest first.", min=1, max=1000)] = 20,
) -> None:
    """List a player's complete orders, newest first: what was traded, paid or received."""
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    numbers = ("quantity", "filled", "fee", "paid", "received")
    table = listing(f"notifications of {player}", "at", "side", "material", "status", *numbers, "id", numbers=numbers)
    with MarketApi(environment.api_url) as api:
        for told in _newest(api, player_token, limit):
            status = f"{told['status']} ({told['reason']})" if told["reason"] else told["status"]
            amounts = (str(told.get(name, "")) for name in numbers)
            table.add_row(told["at"], told["side"], told["material"], status, *amounts, told["order_id"])
    screen().print(table if table.row_count else f"{table.title}: none")


def _newest(api: MarketApi, player_token: str, limit: int) -> Iterator[dict[str, Any]]:
    page_token: str | None = None
    while limit > 0:
        query = {"limit": min(_PAGE, limit), "next": page_token}
        page = api.get("/notifications", player_token, query).accepted()
        yield from page["notifications"]
        limit -= len(page["notifications"])
        page_token = page["next"]
        if page_token is None:
            return

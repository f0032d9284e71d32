"""Commands about what was traded: candles, tickers, a player's own trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.trading import DEFAULT_PLAYER, Material, Player

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

_PAGE = 100


def candles(
    ctx: typer.Context,
    material: Material,
    interval: Annotated[str, typer.Option(help="Width of a candle: 1m, 5m, 1h or 1d.")] = "1m",
    limit: Annotated[int, typer.Option(help="Show at most so many, newest first.", min=1, max=1000)] = 20,
    player: Player = DEFAULT_PLAYER,
) -> None:
    """List open, high, low and close of a material; the newest one may still run."""
    environment = find_environment(ctx.obj)
    columns = ("open", "high", "low", "close", "volume", "value", "trades")
    table = listing(f"{material} in {interval}", "start", *columns, "closed", numbers=columns)
    with MarketApi(environment.api_url) as api:
        player_token = PlayerPool(environment).mint_token(player)
        path = path_of("materials", material, "candles")
        for candle in _listed(api, path, player_token, "candles", limit, interval=interval):
            cells = (str(candle[column]) for column in columns)
            table.add_row(candle["start"], *cells, "yes" if candle["closed"] else "no")
    _print_table(table)


def ticker(
    ctx: typer.Context,
    material: Annotated[str | None, typer.Argument(help="What is traded, e.g. copper. Default: all.")] = None,
    player: Player = DEFAULT_PLAYER,
) -> None:
    """Show the last 24 hours of a material, or of all, and the best prices of this moment."""
    environment = find_environment(ctx.obj)
    materials = [material] if material else list(environment.materials)
    columns = ("last", "change", "high", "low", "volume", "trades", "best_bid", "best_ask")
    headings = tuple(column.replace("_", " ") for column in columns)
    table = listing("24 hours", "material", *headings, numbers=headings)
    with MarketApi(environment.api_url) as api:
        player_token = PlayerPool(environment).mint_token(player)
        for name in materials:
            shown = api.get(path_of("materials", name, "ticker"), player_token).accepted()
            table.add_row(name, *("-" if shown[column] is None else str(shown[column]) for column in columns))
    _print_table(table)


def fills(
    ctx: typer.Context,
    player: Player,
    limit: Annotated[int, typer.Option(help="Show at most so many, newest first.", min=1, max=1000)] = 20,
) -> None:
    """List a player's own settled trades, newest first."""
    environment = find_environment(ctx.obj)
    columns = ("at", "side", "role", "material", "price", "quantity", "fee", "id")
    table = listing(f"fills of {player}", *columns, numbers=("price", "quantity", "fee"))
    with MarketApi(environment.api_url) as api:
        player_token = PlayerPool(environment).mint_token(player)
        for fill in _listed(api, "/fills", player_token, "fills", limit):
            table.add_row(*(str(fill[column]) for column in columns))
    _print_table(table)


def _listed(
    api: MarketApi, path: str, player_token: str, name: str, limit: int, **query: str
) -> Iterator[dict[str, Any]]:
    position: str | None = None
    while limit:
        asked = {"limit": min(limit, _PAGE), "next": position, **query}
        page = api.get(path, player_token, asked).accepted()
        yield from page[name]
        limit -= len(page[name])
        position = page["next"]
        if position is None:
            return


def _print_table(table: Table) -> None:
    screen().print(table if table.row_count else f"{table.title}: none")

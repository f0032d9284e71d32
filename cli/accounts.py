"""Commands about accounts: look at one's own; as the game's service, deposit and withdraw."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.service import service_token
from cli.trading import Player  # noqa: TC001 - typer reads it at run time
from market.accounts.bookkeeping import HOUSE, MONEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PAGE = 100

Owner = Annotated[str, typer.Argument(metavar="PLAYER", help=f"Name of the player; {HOUSE} is who earns the fees.")]
Asset = Annotated[str, typer.Argument(help=f"{MONEY}, or a material such as copper.")]
Amount = Annotated[str, typer.Argument(help="How much: money as 12.50, a material in whole pieces.")]
Reference = Annotated[
    str | None, typer.Option("--reference", help="Your own name for it: sent twice, it is done once.")
]


def account(ctx: typer.Context, player: Player) -> None:
    """Show what a player has, and how much of it open orders hold."""
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        found = api.get("/account", player_token).accepted()
    columns = ("asset", "available", "held", "open asks", "open bids")
    table = listing(f"account of {player}", *columns, numbers=columns[1:])
    table.add_row(MONEY, found["money"]["available"], found["money"]["held"], "", "")
    for line in found["materials"]:
        names = ("material", "available", "held", "open_asks", "open_bids")
        table.add_row(*(str(line[name]) for name in names))
    screen().print(table)


def journal(
    ctx: typer.Context,
    player: Player,
    limit: Annotated[int, typer.Option(help="Show at most so many entries, newest first.", min=1, max=1000)] = 20,
) -> None:
    """Show what moved a player's goods and money, newest first; each entry's amounts sum to zero."""
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    table = listing(f"journal of {player}", "at", "cause", "account", "asset", "amount", numbers=("amount",))
    with MarketApi(environment.api_url) as api:
        for entry in _entries(api, player_token, limit):
            at, cause = entry["at"], entry["cause"]
            for posting in entry["postings"]:
                table.add_row(at, cause, *(str(posting[name]) for name in ("account", "asset", "amount")))
                at = cause = ""
    screen().print(table)


def deposit(ctx: typer.Context, player: Owner, asset: Asset, amount: Amount, *, reference: Reference = None) -> None:
    """Give a player goods or money, as the game's service."""
    _transfer(ctx, "deposits", player, _body(asset, amount, reference))


def withdraw(ctx: typer.Context, player: Owner, asset: Asset, amount: Amount, *, reference: Reference = None) -> None:
    """Take goods or money from a player, as the game's service."""
    _transfer(ctx, "withdrawals", player, _body(asset, amount, reference))


def _body(asset: str, amount: str, reference: str | None) -> dict[str, object]:
    in_units = asset != MONEY and amount.lstrip("-").isdecimal()
    # With a reference, a transfer may be sent again after a lost answer.
    return {
        "asset": asset,
        "amount": int(amount) if in_units else amount,
        "reference": reference or uuid.uuid4().hex,
    }


def _transfer(ctx: typer.Context, collection: str, player: str, body: Mapping[str, object]) -> None:
    environment = find_environment(ctx.obj)
    player_id = HOUSE if player == HOUSE else PlayerPool(environment).player_id(player)
    with MarketApi(environment.api_url) as api:
        path = path_of("accounts", player_id, collection)
        done = api.post(path, service_token(environment), body).accepted()
    verb = "deposited to" if collection == "deposits" else "withdrawn from"
    screen().print(f"{done['amount']} {done['asset']} {verb} {player}, reference {done['reference']}", markup=False)


def _entries(api: MarketApi, player_token: str, limit: int) -> Iterator[dict[str, Any]]:
    position: str | None = None
    while limit:
        query = {"limit": min(limit, _PAGE), "next": position}
        page = api.get("/account/journal", player_token, query).accepted()
        yield from page["entries"]
        limit -= len(page["entries"])
        position = page["next"]
        if position is None:
            return

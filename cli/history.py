"""Commands about what an order was, and who changed it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.failures import UnusableCommandError
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.trading import Player  # noqa: TC001  # typer reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

history = typer.Typer(no_args_is_help=True, help="What an order was at any time, and who changed it.")

_STATE = ("status", "filled", "remaining")
_EPOCH_MS = re.compile(r"\d{1,15}", re.ASCII)


@history.command()
def order(
    ctx: typer.Context,
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Id of an ask or a bid.")],
    *,
    player: Player,
    as_of: Annotated[
        str | None, typer.Option("--as-of", help="Only what it was at this time, e.g. 2026-11-21T14:05:00Z.")
    ] = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option("--between", metavar="FROM TO", help="Only versions from one time on and before another."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Only changes by this actor: matcher, or the player's id.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what each change changed.")] = False,
) -> None:
    """Show the versions of a player's order, oldest first.

    A time is ISO 8601 (without an offset: UTC) or epoch milliseconds.
    """
    if as_of is not None and between is not None:
        raise UnusableCommandError("--as-of and --between exclude each other")
    query: dict[str, str | int | None] = {"as_of": _utc("--as-of", as_of) if as_of is not None else None}
    if between is not None:
        query |= {"from": _utc("--between", between[0]), "to": _utc("--between", between[1])}
    environment = find_environment(ctx.obj)
    player_token = PlayerPool(environment).mint_token(player)
    with MarketApi(environment.api_url) as api:
        versions = [v for v in _versions(api, player_token, order_id, query) if by is None or v["by"] == by]
    if not versions:
        screen().print(f"history of {order_id}: none", markup=False)
        return
    columns = ("version", "at", *_STATE, "by", "why")
    table = listing(f"history of {order_id}", *columns, numbers=("version", "filled", "remaining"))
    for version in versions:
        state: Mapping[str, Any] = version["order"] or {}
        cells = {**version, **{name: state.get(name, "") for name in _STATE}}
        table.add_row(
            *(str(cells[column] or "") if column in ("by", "why") else str(cells[column]) for column in columns)
        )
        if diff:
            for change in version["changes"]:
                before = "" if change["before"] is None else f"{change['before']} "
                table.add_row("", f"  {change['field']}: {before}→ {change['after']}")
    screen().print(table)


def _versions(
    api: MarketApi, player_token: str, order_id: str, query: Mapping[str, str | int | None]
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    side, page_token = "bids", None
    while True:
        reply = api.get(path_of(side, order_id, "history"), player_token, {**query, "next": page_token})
        if side == "bids" and reply.status == 404 and reply.body.get("error", {}).get("rule") == "own_order":
            side = "asks"
            continue
        page = reply.accepted()
        found += page["versions"]
        page_token = page["next"]
        if page_token is None:
            return found


def _utc(option: str, text: str) -> str:
    """The time as the API wants it."""
    try:
        if _EPOCH_MS.fullmatch(text):
            seconds, milliseconds = divmod(int(text), 1000)
            moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UnusableCommandError(f"{option} {text!r} is no time: ISO 8601 or epoch milliseconds") from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

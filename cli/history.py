"""Commands about what an order, an account or a settlement was, and who changed it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.failures import UnusableCommandError
from cli.players import PlayerPool
from cli.screen import listing, screen
from cli.service import service_token
from market.accounts.bookkeeping import HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.api import Reply
    from cli.environments import Environment

history = typer.Typer(
    no_args_is_help=True, help="What an order, an account or a settlement was at any time, and who changed it."
)

AsOf = Annotated[str | None, typer.Option("--as-of", help="Only what it was at this time, e.g. 2026-11-21T14:05:00Z.")]
Between = Annotated[
    tuple[str, str] | None,
    typer.Option("--between", metavar="FROM TO", help="Only versions from one time on and before another."),
]
By = Annotated[
    str | None,
    typer.Option("--by", help="Only changes by this actor: a player's id, matcher, settlement, service, operator."),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show what each change changed.")]

_ORDER = ("status", "filled", "remaining")
_ACCOUNT = ("goods", "money")
_SETTLEMENT = ("status", "step")
_EPOCH_MS = re.compile(r"\d{1,15}", re.ASCII)


@history.command()
def order(
    ctx: typer.Context,
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Id of an ask or a bid.")],
    *,
    player: Annotated[
        str | None, typer.Option("--player", "-p", help="Ask as this player, who sees their own orders only.")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", help="Player the order is of: an operator finds it faster with it.")
    ] = None,
    as_of: AsOf = None,
    between: Between = None,
    by: By = None,
    diff: Diff = False,
) -> None:
    """Show the versions of an order, by time: of its player's record, and of an ask also in the book.

    A time is ISO 8601 (without an offset: UTC) or epoch milliseconds.
    """
    if player is not None and of is not None:
        raise UnusableCommandError("--player and --of exclude each other: a player sees their own orders only")
    query = _query(as_of, between)
    environment = find_environment(ctx.obj)
    with MarketApi(environment.api_url) as api:
        if player is not None:
            versions = _own_versions(api, PlayerPool(environment).mint_token(player), order_id, query)
        else:
            owner = None if of is None else _player_id(environment, of)
            path = path_of("operator", "history", "order", order_id)
            versions = _versions(api, path, service_token(environment), {**query, "player": owner})
    _show(f"history of {order_id}", versions, _ORDER, by=by, diff=diff)


@history.command()
def account(
    ctx: typer.Context,
    player: Annotated[str, typer.Argument(metavar="PLAYER", help=f"Name or id; {HOUSE} is who earns the fees.")],
    *,
    as_of: AsOf = None,
    between: Between = None,
    by: By = None,
    diff: Diff = False,
) -> None:
    """Show the versions of an account's lines, by time, as an operator. Each change has the cause its journal has."""
    query = _query(as_of, between)
    environment = find_environment(ctx.obj)
    path = path_of("operator", "history", "account", _player_id(environment, player))
    with MarketApi(environment.api_url) as api:
        versions = _versions(api, path, service_token(environment), query)
    _show(f"history of {player}", versions, _ACCOUNT, by=by, diff=diff)


@history.command()
def settlement(
    ctx: typer.Context,
    settlement_id: Annotated[str, typer.Argument(metavar="ID", help="Material and commit, such as copper-12.")],
    *,
    as_of: AsOf = None,
    between: Between = None,
    by: By = None,
    diff: Diff = False,
) -> None:
    """Show the versions of a settlement, by time, as an operator."""
    query = _query(as_of, between)
    environment = find_environment(ctx.obj)
    path = path_of("operator", "history", "settlement", settlement_id)
    with MarketApi(environment.api_url) as api:
        versions = _versions(api, path, service_token(environment), query)
    _show(f"history of {settlement_id}", versions, _SETTLEMENT, by=by, diff=diff)


def _own_versions(
    api: MarketApi, player_token: str, order_id: str, query: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    bids, asks = (path_of(side, order_id, "history") for side in ("bids", "asks"))
    first = api.get(bids, player_token, query)
    if first.status == 404 and first.body.get("error", {}).get("rule") == "own_order":
        return _versions(api, asks, player_token, query)
    return _versions(api, bids, player_token, query, first)


def _versions(
    api: MarketApi, path: str, access_token: str, query: Mapping[str, str | None], first: Reply | None = None
) -> list[dict[str, Any]]:
    page = (first or api.get(path, access_token, query)).accepted()
    found: list[dict[str, Any]] = page["versions"]
    while page["next"] is not None:
        page = api.get(path, access_token, {**query, "next": page["next"]}).accepted()
        found += page["versions"]
    # The items of one order are listed one after the other; ISO times in UTC sort as text.
    return sorted(found, key=lambda version: version["at"])


def _show(
    title: str, versions: Iterable[dict[str, Any]], fields: tuple[str, ...], *, by: str | None, diff: bool
) -> None:
    shown = [version for version in versions if by is None or version["by"] == by]
    if not shown:
        screen().print(f"{title}: none", markup=False)
        return
    columns = ("part", "version", "at", *fields, "by", "why")
    table = listing(title, *columns, numbers=("version", "filled", "remaining"))
    table.columns[-1].overflow = "fold"  # it ends in an id
    for version in shown:
        state = version.get("order") or _with_sums(version.get("item") or {})
        cells = {**version, **{name: state.get(name) for name in fields}}
        table.add_row(*("" if cells[column] is None else str(cells[column]) for column in columns))
        if diff:
            for change in version["changes"]:
                before = "" if change["before"] is None else f"{change['before']} "
                table.add_row("", "", f"  {change['field']}: {before}→ {change['after']}")
    screen().print(table)


def _with_sums(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item, and of an account's line what is available and held: units, and money in its smallest unit."""
    money = item.get("available_minor", 0) + item.get("proceeds_minor", 0)
    return {
        **item,
        "goods": f"{item.get('available', 0)} + {item.get('held', 0)} held",
        "money": f"{money} + {item.get('held_minor', 0)} held",
    }


def _player_id(environment: Environment, player: str) -> str:
    """The id of a player given by name or id."""
    try:
        return str(UUID(player))
    except ValueError:
        return HOUSE if player == HOUSE else PlayerPool(environment).player_id(player)


def _query(as_of: str | None, between: tuple[str, str] | None) -> dict[str, str | None]:
    if as_of is not None and between is not None:
        raise UnusableCommandError("--as-of and --between exclude each other")
    query: dict[str, str | None] = {"as_of": _utc("--as-of", as_of) if as_of is not None else None}
    if between is not None:
        query |= {"from": _utc("--between", between[0]), "to": _utc("--between", between[1])}
    return query


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

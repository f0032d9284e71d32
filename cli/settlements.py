"""The operator's commands about settlements: which are parked, and have commits settled that are not."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.api import MarketApi, path_of
from cli.environments import find_environment
from cli.failures import UnusableCommandError
from cli.screen import listing, screen
from cli.service import service_token
from cli.trading import Material  # noqa: TC001  # typer reads it


def settlements(ctx: typer.Context) -> None:
    """List the settlements that are parked: they wait for the cause to be mended, and for `settle`."""
    environment = find_environment(ctx.obj)
    table = listing("parked settlements", "id", "since", "error")
    with MarketApi(environment.api_url) as api:
        for parked in api.get("/operator/settlements", service_token(environment)).accepted()["parked"]:
            table.add_row(parked["id"], parked["since"], parked["error"])
    screen().print(table if table.row_count else f"{table.title}: none")


def settle(
    ctx: typer.Context,
    *,
    material: Material,
    first: Annotated[int, typer.Argument(help="Sequence number of a commit on the material's tape.", min=1)],
    last: Annotated[int | None, typer.Argument(help="Sequence number of the last commit, if more than one.")] = None,
) -> None:
    """Have commits settled that are not: those whose trigger was lost, and those that are parked.

    What is settled stays as it is.
    """
    last = first if last is None else last
    if last < first:
        raise UnusableCommandError(f"LAST {last} is before FIRST {first}")
    environment = find_environment(ctx.obj)
    token = service_token(environment)
    with MarketApi(environment.api_url) as api:
        for sequence in range(first, last + 1):
            answer = api.post(path_of("operator", "settlements", f"{material}-{sequence}"), token, {}).accepted()
            screen().print(f"{answer['id']}: {answer['status']}", markup=False)

"""The operator's command that audits a market: all parts, one after the other, and a table of what is wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002  # typer reads it
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.api import MarketApi
from cli.environments import find_environment
from cli.failures import UnsoundMarketError
from cli.screen import listing, screen
from cli.service import service_token

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATH = "/operator/audit"
_SHOWN = 50


def audit(ctx: typer.Context) -> None:
    """Derive all balances and statuses again from trades, journal and history, and compare them with the tables.

    Fails if anything is wrong. What moves while it is compared is told apart: audit a quiet market to have all of it.
    Each request does a part of the work within seconds, and the next one goes on where it stopped, until all is done.
    """
    environment = find_environment(ctx.obj)
    findings: list[dict[str, str]] = []
    undecided: list[str] = []
    checked: Counter[str] = Counter()
    console = screen()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with MarketApi(environment.api_url) as api, bar as progress:
        access_token = service_token(environment)
        parts = _parts(api, access_token)
        task = progress.add_task("", total=len(parts))
        for part, of in parts:
            # A part may take thousands of requests: the history of a line that every commit writes is long.
            for number, page in enumerate(_pages(api, access_token, {"part": part, "of": of}), 1):
                findings += page["findings"]
                undecided += page["undecided"]
                checked[part] += page["checked"]
                progress.update(task, description=escape(f"{part} {of or ''}, page {number:,}"))
            progress.advance(task)
    told = ", ".join(f"{number} {part}" for part, number in sorted(checked.items()))
    screen().print(f"audited: {told}", markup=False, soft_wrap=True)
    for subject in undecided:
        screen().print(f"not compared, as it kept moving: {subject}", markup=False, soft_wrap=True)
    if not findings:
        screen().print("nothing is wrong", markup=False)
        return
    columns = ("kind", "subject", "expected", "found")
    table = listing("findings", *columns)
    for finding in findings[:_SHOWN]:
        table.add_row(*(finding[column] for column in columns))
    screen().print(table)
    raise UnsoundMarketError(f"{len(findings)} findings")


def _parts(api: MarketApi, access_token: str) -> list[tuple[str, str | None]]:
    """All parts, once each: a player of many lines may be listed on two pages."""
    listed = ((part["part"], part["of"]) for page in _pages(api, access_token, {}) for part in page["parts"])
    return list(dict.fromkeys(listed))


def _pages(api: MarketApi, access_token: str, query: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    page_token: str | None = None
    while True:
        page = api.get(_PATH, access_token, {**query, "next": page_token}).accepted()
        yield page
        page_token = page["next"]
        if page_token is None:
            return

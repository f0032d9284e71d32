"""Commands that play a whole trading day: on a running environment, or on a fresh one that lives just for it."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.environments import Environment, find_environment
from cli.failures import UnsoundMarketError
from cli.lifecycle import interrupt_on_termination, require_local, require_stopped, start, stop
from cli.players import PlayerPool
from cli.report import print_day, print_sending, print_verdict, summarize_day
from cli.screen import screen
from cli.simulation import SentOrder, lost_orders, send_orders, wait_until_quiet
from cli.table_reader import TableReader
from cli.trading_day import plan_trading_day
from market.invariants import check_invariants
from market.money import parse_price

Players = Annotated[int, typer.Option(help="How many players trade.", min=1, max=999)]
Orders = Annotated[int, typer.Option(help="How many orders they send in all.", min=1, max=1_000_000)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same orders.")]
Clients = Annotated[int, typer.Option(help="Concurrent connections.", min=1, max=64)]

_SIGN_INS_AT_ONCE = 4


def simulate(
    ctx: typer.Context, players: Players = 24, orders: Orders = 1200, seed: Seed = 1, clients: Clients = 8
) -> None:
    """Play a seeded trading day through the HTTP API, then check every invariant on the tables.

    The environment should have no other traffic: the check wants a market at rest.
    """
    _play(find_environment(ctx.obj), players, orders, seed, clients)


def run(ctx: typer.Context, players: Players = 24, orders: Orders = 1200, seed: Seed = 1, clients: Clients = 8) -> None:
    """Start a fresh local environment, play a trading day on it, report, stop."""
    require_local(ctx, "up")
    require_stopped("play on it: `market simulate`")
    interrupt_on_termination()
    try:
        _play(start(port=None, keep_state=False), players, orders, seed, clients)
    finally:
        stop()


def _play(environment: Environment, players: int, orders: int, seed: int, clients: int) -> None:
    digits = environment.currency_digits
    plan = plan_trading_day(
        players=players,
        orders=orders,
        materials=environment.materials,
        tick_minor=parse_price(str(environment.output("tick_size")), digits),
        seed=seed,
    )
    console = screen()
    console.print(
        f"trading day {seed}: {orders:,} orders of {players} players in {len(environment.materials)} materials, "
        f"{clients} clients"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        signing_in = progress.add_task("signing in", total=players)
        tokens: list[str] = []
        with ThreadPoolExecutor(_SIGN_INS_AT_ONCE) as pool:
            names = (f"player-{number:02}" for number in range(1, players + 1))
            for player_token in pool.map(PlayerPool(environment).mint_token, names):
                tokens.append(player_token)
                progress.advance(signing_in)
        sending = progress.add_task("sending", total=orders)

        def sent_one(_: SentOrder) -> None:
            progress.advance(sending)

        started_at = time.monotonic()
        sent = send_orders(
            plan,
            api_url=environment.api_url,
            tokens=tokens,
            currency_digits=digits,
            day=secrets.token_hex(4),
            clients=clients,
            on_sent=sent_one,
        )
        sending_s = time.monotonic() - started_at
        progress.add_task("matching", total=None)
        started_at = time.monotonic()
        tables = wait_until_quiet(TableReader(environment).read)
        resting_s = time.monotonic() - started_at
    stored_by_ms = {outcome.order_id: outcome.answered_at_ms for outcome in sent if outcome.order_id is not None}
    verdict = check_invariants(tables, quiet=True, stored_by_ms=stored_by_ms)
    lost = lost_orders(sent, tables)
    print_sending(console, sent, sending_s, resting_s)
    print_day(console, summarize_day(environment.materials, sent, tables), digits)
    print_verdict(console, verdict, lost, tables)
    if lost or not verdict.holds:
        raise UnsoundMarketError("the market is not sound: see the findings above")

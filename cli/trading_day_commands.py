"""Commands that play a whole trading day: on a running environment, or on a fresh one that lives just for it."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.environments import Environment, find_environment
from cli.failures import CommandFailedError, UnsoundMarketError
from cli.funding import fund_players
from cli.latency.command import measure_and_show
from cli.latency.measuring import RunPlan
from cli.latency.patterns import Pattern
from cli.lifecycle import interrupt_on_termination, require_local, require_stopped, start, stop
from cli.players import PlayerPool
from cli.report import print_conservation, print_day, print_orders, print_sending, print_verdict, summarize_day
from cli.resting import Picture, wait_until_quiet
from cli.screen import screen
from cli.service import service_token
from cli.simulation import SentOrder, lost_orders, send_orders
from cli.table_reader import TableReader
from cli.trading_day import PlannedOrder, plan_trading_day
from local.environment import PROJECT_ROOT
from market.fees import Fees
from market.invariants import asset_totals, check_invariants
from market.money import parse_price

Players = Annotated[int, typer.Option(help="How many players trade.", min=1, max=999)]
Orders = Annotated[int, typer.Option(help="How many orders they send in all.", min=1, max=1_000_000)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same orders.")]
Clients = Annotated[int, typer.Option(help="Concurrent connections.", min=1, max=64)]

LATENCY_REPORT = PROJECT_ROOT / ".local" / "latency.html"
"""Where `market run` leaves the report of its latencies."""

_SIGN_INS_AT_ONCE = 4
_LATENCY_PER_S, _LATENCY_MINUTES = 10, 1 / 3
_LATENCY_PLAYERS, _LATENCY_WATCHERS = 8, 2


def simulate(
    ctx: typer.Context, players: Players = 24, orders: Orders = 600, seed: Seed = 1, clients: Clients = 8
) -> None:
    """Play a seeded trading day through the HTTP API, then check every invariant on the tables.

    Players get goods and money first. The environment should have no other traffic: the check wants a market at rest.
    """
    _play(find_environment(ctx.obj), players, orders, seed, clients)


def run(ctx: typer.Context, players: Players = 24, orders: Orders = 600, seed: Seed = 1, clients: Clients = 8) -> None:
    """Start a fresh local environment, play a trading day on it, report, measure latencies for a moment, stop."""
    require_local(ctx, "up")
    require_stopped("play on it: `market simulate`")
    interrupt_on_termination()
    try:
        environment = start(port=None, keep_state=False)
        _play(environment, players, orders, seed, clients)
        _measure_latency(environment, seed)
    finally:
        stop()


def _measure_latency(environment: Environment, seed: int) -> None:
    """Measure a market that is sound; that it cannot be measured makes it no less so."""
    if environment.outputs.get("feed_http_host") is None:
        return
    plan = RunPlan(
        Pattern.STEADY,
        _LATENCY_PER_S,
        _LATENCY_MINUTES,
        players=_LATENCY_PLAYERS,
        watchers=_LATENCY_WATCHERS,
        seed=seed,
    )
    try:
        measure_and_show(environment, plan, report=LATENCY_REPORT)
    except (CommandFailedError, BotoCoreError, ClientError, OSError) as failure:
        screen().print(f"latencies were not measured: {escape(str(failure))}", style="yellow", soft_wrap=True)


def _play(environment: Environment, players: int, orders: int, seed: int, clients: int) -> None:
    digits = environment.currency_digits
    tick_minor = parse_price(str(environment.output("tick_size")), digits)
    plan = plan_trading_day(
        players=players, orders=orders, materials=environment.materials, tick_minor=tick_minor, seed=seed
    )
    day = secrets.token_hex(4)
    console = screen()
    console.print(
        f"trading day {seed}: {orders:,} orders of {players} players in {len(environment.materials)} materials, "
        f"{clients} clients"
    )
    reader, pool = TableReader(environment), PlayerPool(environment)

    def read() -> Picture:
        return Picture(reader.read(), reader.read_accounts())

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        signing_in = progress.add_task("signing in", total=players)
        tokens: list[str] = []
        names = [f"player-{number:02}" for number in range(1, players + 1)]
        with ThreadPoolExecutor(_SIGN_INS_AT_ONCE) as threads:
            for player_token in threads.map(pool.mint_token, names):
                tokens.append(player_token)
                progress.advance(signing_in)
        progress.add_task("depositing goods and money", total=None)
        fund_players(
            [pool.player_id(name) for name in names],
            api_url=environment.api_url,
            token=service_token(environment),
            materials=environment.materials,
            tick_minor=tick_minor,
            currency_digits=digits,
            day=day,
            clients=clients,
        )
        before = asset_totals(*read())
        sending = progress.add_task("sending", total=orders)

        def sent_one(_: SentOrder) -> None:
            progress.advance(sending)

        started_at = time.monotonic()
        sent = send_orders(
            plan,
            api_url=environment.api_url,
            tokens=tokens,
            currency_digits=digits,
            day=day,
            clients=clients,
            on_sent=sent_one,
        )
        sending_s = time.monotonic() - started_at
        progress.add_task("matching, settling, expiring", total=None)
        started_at = time.monotonic()
        tables, accounts = wait_until_quiet(read)
        resting_s = time.monotonic() - started_at
    stored_by_ms = {
        outcome.order_id: outcome.answered_at_ms
        for outcome in sent
        if outcome.order_id is not None and isinstance(outcome.planned, PlannedOrder)
    }
    verdict = check_invariants(
        tables, quiet=True, stored_by_ms=stored_by_ms, fees=_fees(environment), accounts=accounts
    )
    print_sending(console, sent, sending_s, resting_s)
    print_day(console, summarize_day(environment.materials, sent, tables), digits)
    print_orders(console, tables)
    wrong = lost_orders(sent, tables)
    wrong += print_conservation(console, before, asset_totals(tables, accounts), digits)
    print_verdict(console, verdict, wrong, tables, accounts)
    if wrong or not verdict.holds:
        raise UnsoundMarketError("the market is not sound: see the findings above")


def _fees(environment: Environment) -> Fees | None:
    """Return the rates in effect; None if the environment does not tell them."""
    rates = [environment.outputs.get(name) for name in ("maker_fee_bps", "taker_fee_bps")]
    return None if None in rates else Fees(*(int(rate or 0) for rate in rates))

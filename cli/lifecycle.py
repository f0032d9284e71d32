"""Commands about the environment itself: start and stop the local one, show any."""

from __future__ import annotations

import json
import shlex
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.table import Table

from cli.environments import LOCAL, Environment, find_environment
from cli.failures import EnvironmentUnavailableError, UnusableCommandError
from cli.players import PlayerPool
from cli.screen import listing, screen
from local.environment import LocalEnvironment
from local.environment import down as stop_local
from local.environment import find as find_local
from local.environment import up as start_local

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from local.delivery.stats import MappingStats, ScheduleStats

Port = Annotated[int | None, typer.Option(help="Port on 127.0.0.1; a free one if not given.", min=1, max=65535)]
KeepState = Annotated[bool, typer.Option("--keep-state", help="Go on with the orders of the last run, and keep them.")]

_POLL_S = 0.5


def up(ctx: typer.Context, port: Port = None, keep_state: KeepState = False) -> None:
    """Start the local environment and leave it running."""
    require_local(ctx, "up")
    start(port=port, keep_state=keep_state)


def down(ctx: typer.Context) -> None:
    """Stop the local environment."""
    require_local(ctx, "destroy")
    with screen().status("stopping …"):
        stop_local(LOCAL)
    screen().print("stopped")


def serve(ctx: typer.Context, port: Port = None, keep_state: KeepState = False) -> None:
    """Start the local environment, print how to talk to it, and keep it running until Ctrl-C."""
    require_local(ctx, "up")
    require_stopped("use it as it is: `market status`")
    interrupt_on_termination()
    try:
        _print_samples(start(port=port, keep_state=keep_state))
        while find_local(LOCAL) is not None:
            time.sleep(_POLL_S)
        if (failure := LocalEnvironment(LOCAL).take_failure()) is not None:
            raise failure
        screen().print("stopped from elsewhere")
    except KeyboardInterrupt:
        screen().print()
    finally:
        stop()


def status(ctx: typer.Context) -> None:
    """Show whether the environment runs, and where."""
    environment = find_environment(ctx.obj)
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("environment", environment.name)
    if (running := find_local(LOCAL) if environment.name == LOCAL else None) is not None:
        table.add_row("process", str(running.pid))
        table.add_row("endpoint", running.endpoint_url)
        table.add_row("up for", _duration(time.time() - running.started_at_ms / 1000))
    table.add_row("API", environment.api_url)
    table.add_row("materials", ", ".join(environment.materials))
    table.add_row("tick size", str(environment.output("tick_size")))
    screen().print(table)
    if environment.name == LOCAL:
        _print_delivery(LocalEnvironment(LOCAL).find_delivery())
        _print_schedules(LocalEnvironment(LOCAL).find_schedules())


def _print_delivery(mappings: Sequence[MappingStats]) -> None:
    if not mappings:
        return
    numbers = ("read", "batches", "failed", "given up", "open", "lag ms")
    table = listing("event delivery", "reader", *numbers, numbers=numbers)
    for mapping in mappings:
        figures = (
            mapping.records,
            mapping.batches,
            mapping.failures,
            mapping.discarded,
            mapping.open_records,
            mapping.iterator_age_ms,
        )
        table.add_row(mapping.name, *(f"{figure:,}" for figure in figures))
    screen().print(table)
    for mapping in mappings:
        if mapping.last_error:
            screen().print(f"{mapping.name}: {mapping.last_error}", markup=False, soft_wrap=True)


def _print_schedules(schedules: Sequence[ScheduleStats]) -> None:
    if not schedules:
        return
    numbers = ("fired", "given up", "open")
    table = listing("schedules", "schedule", "last", "next", *numbers, numbers=numbers)
    for schedule in schedules:
        figures = (schedule.firings, schedule.discarded, schedule.open_events)
        next_firing = _time(schedule.next_ms, otherwise="never") if schedule.enabled else "disabled"
        table.add_row(
            schedule.name, _time(schedule.last_ms, otherwise="not yet"), next_firing, *(f"{n:,}" for n in figures)
        )
    screen().print(table)
    for schedule in schedules:
        if schedule.last_error:
            screen().print(f"{schedule.name}: {schedule.last_error}", markup=False, soft_wrap=True)


def outputs(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print the stack's outputs."""
    found = find_environment(ctx.obj).outputs
    if as_json:
        typer.echo(json.dumps(found, indent=2, sort_keys=True))
        return
    width = max(map(len, found), default=0)
    for name, value in sorted(found.items()):
        typer.echo(f"{name:<{width}}  {_text(value)}")


def require_local(ctx: typer.Context, instead: str) -> None:
    """Refuse to start or stop anything but the local environment: the others are Pulumi's."""
    if ctx.obj != LOCAL:
        raise UnusableCommandError(
            f"only the {LOCAL} environment is started and stopped here; use `pulumi {instead} --stack {ctx.obj}`"
        )


def require_stopped(otherwise: str) -> None:
    """Refuse to take over an environment that someone else started, and will stop."""
    if find_local(LOCAL) is not None:
        raise EnvironmentUnavailableError(
            f"the local environment is running already: stop it with `market down`, or {otherwise}"
        )


def interrupt_on_termination() -> None:
    """Let a closed terminal or a `kill` end the command like Ctrl-C does, so that it still stops what it started."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)


def start(*, port: int | None, keep_state: bool) -> Environment:
    """Start the local environment and say so.

    Raises
    ------
    PortTaken, DeployFailed
        See `local.environment.up`.
    """
    started_at = time.monotonic()
    with screen().status("starting the local environment …"):
        start_local(LOCAL, port=port, keep_state=keep_state)
    environment = find_environment(LOCAL)
    screen().print(
        f"local environment up in {time.monotonic() - started_at:.1f} s: {environment.api_url}", soft_wrap=True
    )
    return environment


def stop() -> None:
    """Stop the local environment if it runs."""
    if find_local(LOCAL) is not None:
        with screen().status("stopping …"):
            stop_local(LOCAL)
        screen().print("stopped")


def _print_samples(environment: Environment) -> None:
    material = environment.materials[0]
    # The path holds a "$default", which a shell would read as a variable.
    url = shlex.quote(environment.api_url)
    ask, bid = (json.dumps({"material": material, "quantity": 10, "price": price}) for price in ("12.50", "12.40"))
    headers = '-H "Authorization: Bearer $TOKEN"'
    typer.echo(
        f"\nGive the player alice something to trade with, from another shell:\n\n"
        f"market deposit alice {material} 100\n"
        f"market deposit alice money 1000\n\n"
        f"Then talk to it as alice:\n\n"
        f"URL={url}\n"
        f"TOKEN={PlayerPool(environment).mint_token('alice')}\n"
        f"""curl -sw "\\n" "$URL/asks" {headers} -H 'Content-Type: application/json' -d '{ask}'\n"""
        f"""curl -sw "\\n" "$URL/bids" {headers} -H 'Content-Type: application/json' -d '{bid}'\n"""
        f"""curl -sw "\\n" "$URL/materials/{material}/book?depth=5" {headers}\n"""
        f"""curl -sw "\\n" "$URL/materials/{material}/trades" {headers}\n\n"""
        f"Or: market sell {material} 10 12.50 --player alice; market token --player bob; market simulate\n"
        f"Ctrl-C stops it."
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _time(epoch_ms: int | None, *, otherwise: str) -> str:
    """The time in UTC, to the second."""
    if epoch_ms is None:
        return otherwise
    return datetime.fromtimestamp(epoch_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _text(value: Any) -> str:
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)

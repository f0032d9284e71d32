"""`market latency`: drives bidding load from real HTTP and WebSocket clients and says where the time goes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from cli.environments import Environment, find_environment
from cli.failures import CommandFailedError, EnvironmentUnavailableError, MarketRefusedError, UnusableCommandError
from cli.latency.figures import figures_of
from cli.latency.measuring import INTERRUPTED, Progress, RunPlan, measure
from cli.latency.patterns import Pattern
from cli.latency.printing import print_run
from cli.latency.samples import write_run
from cli.latency.wording import duration_text
from cli.screen import screen

if TYPE_CHECKING:
    from cli.latency.figures import Figures
    from cli.latency.samples import Run

MOST_MINUTES = 50
"""A player's token is good for an hour, and the connections start before the run."""

Rate = Annotated[float, typer.Option(help="Mutations a second, on average.", min=0.1, max=500)]
Players = Annotated[int, typer.Option(help="How many players send, and follow their own orders.", min=2, max=99)]
Minutes = Annotated[
    float, typer.Option(help="How long; a player's token is good for an hour.", min=0.05, max=MOST_MINUTES)
]
Shape = Annotated[Pattern, typer.Option("--pattern", help="How the rate moves.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same orders.")]
Watchers = Annotated[int, typer.Option(help="Clients that follow every material.", min=0, max=99)]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", help="Write a report with plots: one HTML file.", dir_okay=False, writable=True),
]
SamplesFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write every mutation's times, for `market trace`.", dir_okay=False, writable=True),
]


def latency(
    ctx: typer.Context,
    *,
    rate: Rate = 10,
    players: Players = 12,
    minutes: Minutes = 1,
    pattern: Shape = Pattern.STEADY,
    seed: Seed = 1,
    watchers: Watchers = 2,
    report: ReportFile = None,
    json: SamplesFile = None,
) -> None:
    """Measure the way from a player's request to every client's receipt, hop by hop.

    Times count from when an order was due to be sent, so that whoever waits for a market that stalls is late, too.
    Players get goods and money first, and books are opened.
    Ctrl-C ends the run early, with the figures of what was sent.
    """
    for path in (report, json):
        if path is not None and not path.parent.is_dir():
            raise UnusableCommandError(f"{path} cannot be written: there is no folder {path.parent}")
    environment = find_environment(ctx.obj)
    plan = RunPlan(pattern, rate, minutes, players, watchers, seed)
    measure_and_show(environment, plan, report=report, samples=json)


def measure_and_show(
    environment: Environment, plan: RunPlan, *, report: Path | None, samples: Path | None = None
) -> tuple[Run, Figures]:
    """Measure with a progress bar, print the figures, write what is to be written.

    Parameters
    ----------
    environment, plan
        See `measure`.
    report, samples
        Files to write; None: not.

    Raises
    ------
    CommandFailedError
        See `measure`. With figures shown and files written: the market stopped answering or took nothing, or a file
        cannot be written.
    KeyboardInterrupt
        The person ended it; if orders had been sent, their figures are shown and written.
    """
    console = screen()
    console.print(
        f"latency: {plan.rate_per_s:g} mutations/s for {duration_text(plan.minutes)}, {plan.pattern}, "
        f"{plan.players} players, {plan.watchers} watchers"
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        step = bar.add_task("", total=None)

        def begin(name: str, total: int | None) -> None:
            bar.reset(step, description=name, total=total)

        run = measure(environment, plan, Progress(begin, lambda: bar.advance(step)))
    figures = figures_of(run)
    print_run(console, run, figures)
    failure: CommandFailedError | None = None

    def write_report(path: Path) -> None:
        # The plots' library is not loaded by every command.
        from cli.latency.report import html_report  # noqa: PLC0415

        path.write_text(html_report(run, figures), encoding="utf-8")

    for name, path, write in (("samples", samples, partial(write_run, run)), ("report", report, write_report)):
        if path is None:
            continue
        try:
            write(path)
        except OSError as error:
            failure = CommandFailedError(f"{path} cannot be written: {error.strerror or error}")
        else:
            console.print(f"{name}: {escape(str(path))}", soft_wrap=True)
    if run.ended_early == INTERRUPTED:
        raise KeyboardInterrupt
    if run.ended_early is not None:
        raise EnvironmentUnavailableError(run.ended_early)
    if failure is not None:
        raise failure
    if not any(sample.taken for sample in run.samples):
        raise MarketRefusedError("the market took no order, so nothing was measured")
    return run, figures

"""The command line: its commands, its global option, and how failures look."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from cli import (
    accounts,
    audit,
    changing,
    lifecycle,
    market_data,
    notifications,
    settlements,
    trading,
    trading_day_commands,
)
from cli.environments import LOCAL
from cli.failures import CommandFailedError, UnusableCommandError
from cli.history import history
from cli.latency.command import latency
from cli.latency_model.command import model
from cli.screen import screen
from cli.tracing import trace
from cli.watch import watch
from local.environment import DeployFailed, EnvironmentBusy, EnvironmentNotRunning, PortTaken
from market.whole_tables import UnreadableItemError

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_.-]{1,100}){0,2}")

UNAVAILABLE_EXIT_CODE = 3
INTERRUPTED_EXIT_CODE = 130


class OneLineFailures(TyperGroup):
    """Turns every foreseen failure into one line on stderr and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailedError as failure:
            raise _exit(str(failure), failure.exit_code) from failure
        except (EnvironmentNotRunning, EnvironmentBusy, PortTaken, DeployFailed, BotoCoreError, ClientError) as failure:
            raise _exit(str(failure), UNAVAILABLE_EXIT_CODE) from failure
        except UnreadableItemError as failure:
            raise _exit(f"a table holds an unreadable item: {failure}", 1) from failure
        except KeyboardInterrupt as interrupt:
            raise _exit("interrupted", INTERRUPTED_EXIT_CODE) from interrupt


def _exit(message: str, code: int) -> typer.Exit:
    line = " ".join(message.split())
    screen(stderr=True).print(f"market: {line}", style="red", markup=False, soft_wrap=True)
    return typer.Exit(code)


app = typer.Typer(
    cls=OneLineFailures,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Run, trade on and check a commodities market. Without --environment, the one on this machine.",
)


@app.callback()
def choose_environment(
    ctx: typer.Context,
    environment: Annotated[
        str,
        typer.Option(
            "--environment",
            "-e",
            envvar="MARKET_ENVIRONMENT",
            help="Environment to talk to: local, or the name of a Pulumi stack.",
        ),
    ] = LOCAL,
) -> None:
    if not _ENVIRONMENT_NAME.fullmatch(environment):
        raise UnusableCommandError(f"--environment {environment!r} is no name of an environment or Pulumi stack")
    ctx.obj = environment


for command in (lifecycle.up, lifecycle.down, lifecycle.serve, lifecycle.status, lifecycle.outputs):
    app.command(rich_help_panel="Environment")(command)
app.command(rich_help_panel="Trading")(trading.token)
for command in (trading.sell, trading.buy):
    # So that a negative price reaches the market, which says what is wrong with it.
    app.command(rich_help_panel="Trading", context_settings={"ignore_unknown_options": True})(command)
for command in (changing.cancel, changing.cancel_all, changing.replace):
    app.command(rich_help_panel="Trading")(command)
for command in (trading.orders, market_data.fills, notifications.notifications):
    app.command(rich_help_panel="Trading")(command)
for command in (trading.book, trading.trades, market_data.ticker, market_data.candles):
    app.command(rich_help_panel="Trading")(command)
for command in (accounts.account, accounts.journal):
    app.command(rich_help_panel="Accounts")(command)
for command in (accounts.deposit, accounts.withdraw):
    app.command(rich_help_panel="Accounts", context_settings={"ignore_unknown_options": True})(command)
for command in (settlements.settlements, settlements.settle, audit.audit):
    app.command(rich_help_panel="Operating")(command)
for command in (trading_day_commands.simulate, trading_day_commands.run):
    app.command(rich_help_panel="Trading day")(command)
app.command(rich_help_panel="Real time")(watch)
for command in (latency, trace, model):
    app.command(rich_help_panel="Real time")(command)
app.add_typer(history, name="history", rich_help_panel="Trading")

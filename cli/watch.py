"""The command that shows a market live: book, tape, own fills, as the feed tells of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError
from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.api import MarketApi, path_of, refusal
from cli.environments import find_environment
from cli.failures import EnvironmentUnavailableError, MarketRefusedError
from cli.feed import FeedClient, FeedEndpoint
from cli.players import PlayerPool
from cli.screen import screen
from cli.trading import DEFAULT_PLAYER, Material, Player
from cli.watching import LIVE, Watch
from market.feed.channels import market_channel, player_channel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rich.console import Console, RenderableType

    from cli.environments import Environment
    from market.feed.view import Level

_LEVELS = 12
_TRADES = 12
_FILLS = 8
_TOKEN_AGE_S = 30 * 60
_READING_PAUSE_S = 0.3
_FRAME_S = 0.1


def watch(
    ctx: typer.Context,
    material: Material,
    player: Player = DEFAULT_PLAYER,
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds. Default: with Ctrl-C.", min=0)
    ] = None,
) -> None:
    """Show a market live: its book, its trades, and the player's own orders and fills.

    Where the output is no terminal, it is a line for each thing that happens.
    """
    environment = find_environment(ctx.obj)
    session = WatchSession(environment, material, player)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(session.follow(seconds))


class WatchSession:
    """One run of the command."""

    def __init__(self, environment: Environment, material: str, player: str) -> None:
        self._endpoint = FeedEndpoint.of(environment)
        self._api_url = environment.api_url
        self._pool = PlayerPool(environment)
        self._player = player
        self._material = material
        self._token = ""
        self._token_at_s = 0.0
        self._console = screen()

    async def follow(self, seconds: float | None) -> None:
        """Show what happens until the time is over."""
        self._fresh_token()
        own_channel = player_channel(self._pool.player_id(self._player))
        watch = Watch(self._material, own_channel)
        with MarketApi(self._api_url) as api, contextlib.ExitStack() as shown:
            # It knows which materials are traded, the feed does not.
            api.get(path_of("materials", self._material, "book"), self._token).accepted()
            channel = market_channel(self._material)
            if channel is None:
                raise MarketRefusedError(f"the live feed has no channel of a name as long as {self._material}")
            output: _Lines | _Frames = _Lines(self._console)
            if self._console.is_terminal:
                live = Live(render(watch), console=self._console, auto_refresh=False)
                output = _Frames(shown.enter_context(live), watch)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds), FeedClient(self._endpoint, self._token_again) as feed:
                    await feed.subscribe(channel)
                    if own_channel is not None:
                        await feed.subscribe(own_channel)
                    await self._run(feed, watch, api, output)

    async def _run(self, feed: FeedClient, watch: Watch, api: MarketApi, output: _Lines | _Frames) -> None:
        async def listen() -> None:
            async for news in feed:
                output.show(watch.take(news))

        async def fill_gaps() -> None:
            trouble = ""
            while True:
                try:
                    await self._read_missing(watch, api, output)
                    trouble = ""
                except (EnvironmentUnavailableError, ConnectionError) as error:
                    if trouble != (trouble := str(error)):
                        output.show([f"not to be read now: {trouble}"])
                # What is missing may still come by itself; and not everybody who misses it asks at once.
                await asyncio.sleep(_READING_PAUSE_S * random.uniform(0.5, 1.5))

        await _until_one_ends(listen, fill_gaps, output.paint)

    async def _read_missing(self, watch: Watch, api: MarketApi, output: _Lines | _Frames) -> None:
        breaks = watch.breaks
        if watch.needs_fills:
            fills = await asyncio.to_thread(self._read, api, "/fills", _FILLS)
            if watch.breaks == breaks:
                output.show(watch.load_fills(fills))
        if watch.needs_book:
            market = "materials", self._material
            book = await asyncio.to_thread(self._read, api, path_of(*market, "book"), None)
            trades = await asyncio.to_thread(self._read, api, path_of(*market, "trades"), _TRADES)
            if watch.breaks == breaks:
                output.show([*watch.load_trades(trades), *watch.load_book(book)])

    def _read(self, api: MarketApi, path: str, limit: int | None) -> dict[str, object]:
        """Read from the API.

        Raises
        ------
        EnvironmentUnavailableError, ConnectionError
            It is not there for now.
        MarketRefusedError
            It says no.
        """
        reply = api.get(path, self._token_again(), {"limit": limit})
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise EnvironmentUnavailableError(refusal(reply))
        return reply.accepted()

    def _token_again(self) -> str:
        try:
            return self._fresh_token()
        except (HTTPClientError, NoConnectionError) as error:
            raise ConnectionError(str(error)) from error

    def _fresh_token(self) -> str:
        if not self._token or time.monotonic() - self._token_at_s > _TOKEN_AGE_S:
            self._token, self._token_at_s = self._pool.mint_token(self._player), time.monotonic()
        return self._token


class _Lines:
    """Output that is no terminal: a line for each thing that is new."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, lines: list[str]) -> None:
        for line in lines:
            self._console.print(line, markup=False, soft_wrap=True)

    async def paint(self) -> None:
        """There is nothing to paint."""
        await asyncio.Event().wait()


class _Frames:
    """A terminal: the whole state, painted again when something is new, but not at once each time."""

    def __init__(self, live: Live, watch: Watch) -> None:
        self._live = live
        self._watch = watch
        self._is_new = asyncio.Event()

    def show(self, lines: list[str]) -> None:
        self._is_new.set()

    async def paint(self) -> None:
        while True:
            await self._is_new.wait()
            self._is_new.clear()
            self._live.update(render(self._watch), refresh=True)
            await asyncio.sleep(_FRAME_S)


async def _until_one_ends(*functions: Callable[[], Awaitable[None]]) -> None:
    """Run them all; the first failure ends the others, and is raised as it is."""
    tasks = [asyncio.ensure_future(function()) for function in functions]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def render(watch: Watch) -> RenderableType:
    """Return the whole screen: a line of state above book, tape and own fills."""
    market = watch.market
    head = Text(f"{market.material}  ", style="bold")
    head.append(watch.state, style="green" if watch.state == LIVE else "yellow")
    sequence = "-" if market.sequence is None else str(market.sequence)
    lag = "-" if watch.lag_ms is None else f"{watch.lag_ms} ms"
    head.append(f"  sequence {sequence}  lag {lag}", style="dim")
    tape = _table("trades", "price", "quantity", "taker")
    for trade in market.trades[:_TRADES]:
        taker = str(trade["taker"]).lower()
        color = "green" if taker == "buy" else "red"
        tape.add_row(Text(str(trade["price"]), style=color), str(trade["quantity"]), taker)
    fills = _table("own fills", "price", "quantity", "fee", "as")
    for fill in watch.fills[:_FILLS]:
        fills.add_row(f"{fill.side} {fill.price}", str(fill.quantity), fill.fee, fill.role)
    columns = Table.grid(padding=(0, 4))
    columns.add_row(
        _side("bids", market.bids, "green", complete=market.bids_complete),
        _side("asks", market.asks, "red", complete=market.asks_complete),
        tape,
        fills,
    )
    return Group(head, columns)


def _side(title: str, levels: Sequence[Level], color: str, *, complete: bool) -> Table:
    table = _table(title, "price", "quantity", "orders")
    for price, quantity, orders in levels[:_LEVELS]:
        table.add_row(Text(price, style=color), str(quantity), str(orders))
    if len(levels) > _LEVELS or not complete:
        table.add_row(Text("…", style="dim"))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, title=title)
    for column in columns:
        table.add_column(column, justify="right")
    return table

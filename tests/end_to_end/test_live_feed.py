"""The live feed through the real environment: orders in at the API, messages out of a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import cli.watch
from cli.app import app
from cli.feed import ConnectionLost, ConnectionRestored, FeedClient, FeedEndpoint, FeedEvent, FeedRefusedError
from cli.feed_connection import open_connection
from local.environment import find
from market.feed.channels import market_channel, player_channel

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from cli.environments import Environment
    from cli.feed import FeedNews
    from tests.end_to_end.conftest import Market

_PATIENCE_S = 60


@contextlib.asynccontextmanager
async def _listening(market: Market, player: str, *channels: str | None) -> AsyncGenerator[FeedClient]:
    token = await asyncio.to_thread(market.token, player)
    async with FeedClient(FeedEndpoint.of(market.environment), lambda: token) as client:
        for channel in channels:
            assert channel is not None
            await client.subscribe(channel)
        yield client


async def _heard(client: FeedClient, accepts: Callable[[FeedNews], bool]) -> FeedNews:
    """The first news that are accepted; others are passed over."""
    async with asyncio.timeout(_PATIENCE_S):
        async for news in client:
            if accepts(news):
                return news
    raise AssertionError("the news do not end")


def _tells_order(order_id: str) -> Callable[[FeedNews], bool]:
    return lambda news: isinstance(news, FeedEvent) and order_id in str(news.content.get("orders"))


def _trades(material: str) -> Callable[[FeedNews], bool]:
    return lambda news: (
        isinstance(news, FeedEvent) and news.channel == market_channel(material) and bool(news.content["trades"])
    )


def test_an_order_is_told_to_everybody_and_its_fill_to_its_player(market: Market) -> None:
    async def scenario() -> tuple[dict[str, Any], dict[str, Any]]:
        own = player_channel(await asyncio.to_thread(market.player_id, "felix"))
        async with (
            _listening(market, "greta", market_channel("gold")) as everybody,
            _listening(market, "felix", own) as felix,
        ):
            await asyncio.to_thread(market.sell, "greta", "gold", 2, "4.00")
            bid_id = await asyncio.to_thread(market.buy, "felix", "gold", 2, "4.50")
            told = await _heard(everybody, _trades("gold"))
            mine = await _heard(felix, _tells_order(bid_id))
            assert isinstance(told, FeedEvent)
            assert isinstance(mine, FeedEvent)
            return told.content, mine.content

    told, mine = asyncio.run(scenario())
    (trade,) = told["trades"]
    assert (trade["price"], trade["quantity"], trade["taker"]) == ("4.00", 2, "BUY")
    (order,) = mine["orders"]
    assert (order["side"], order["status"], order["filled"]) == ("BUY", "FILLED", 2)
    (fill,) = mine["fills"]
    assert (fill["price"], fill["quantity"], fill["role"]) == ("4.00", 2, "TAKER")


def test_strangers_and_foreign_channels_are_refused(market: Market) -> None:
    endpoint = FeedEndpoint.of(market.environment)
    header, claims, signature = market.token("felix").split(".")
    other = market.token("greta").split(".")[1]
    for token in ("", f"{header}.{claims}.{signature[:-6]}AAAAAA", f"{header}.{other}.{signature}"):
        with pytest.raises(FeedRefusedError, match="401"):
            asyncio.run(FeedClient(endpoint, lambda token=token: token).__aenter__())

    async def scenario() -> None:
        async with _listening(market, "felix", market_channel("salt")) as felix:
            foreign = player_channel(await asyncio.to_thread(market.player_id, "greta"))
            for channel in (str(foreign), "/players/*", "/players"):
                with pytest.raises(FeedRefusedError, match="UnauthorizedException"):
                    await felix.subscribe(channel)

    asyncio.run(scenario())


def test_who_does_not_read_harms_nobody(market: Market) -> None:
    async def scenario() -> None:
        token = await asyncio.to_thread(market.token, "greta")
        stuck = await open_connection(FeedEndpoint.of(market.environment), token)
        await stuck.subscribe("1", str(market_channel("timber")))
        async with _listening(market, "felix", market_channel("timber")) as felix:
            for _ in range(3):
                await asyncio.to_thread(market.sell, "greta", "timber", 1, "2.00")
                await asyncio.to_thread(market.buy, "felix", "timber", 1, "2.00")
                await _heard(felix, _trades("timber"))
        await stuck.close()

    asyncio.run(scenario())


def test_orders_match_while_the_feed_is_dead_and_clients_come_back(market: Market) -> None:
    async def scenario() -> None:
        async with _listening(market, "felix", market_channel("iron")) as felix:
            running = find("local", folder=market.files.folder)
            assert running is not None
            assert running.feed_pid is not None
            os.kill(running.feed_pid, signal.SIGKILL)
            bids: list[str] = []
            for _ in range(3):
                await asyncio.to_thread(market.sell, "greta", "iron", 1, "9.00")
                bids.append(await asyncio.to_thread(market.buy, "felix", "iron", 1, "9.00"))
            for bid_id in bids:
                bid = await asyncio.to_thread(market.handled_bid, "felix", bid_id)
                assert bid["status"] == "FILLED"
            await _heard(felix, lambda news: isinstance(news, ConnectionLost))
            await _heard(felix, lambda news: isinstance(news, ConnectionRestored))
            # The publisher does not try again at once; until it does, messages are lost, and their numbers tell.
            trading = asyncio.create_task(_trade_until_cancelled(market, "iron"))
            await _heard(felix, _trades("iron"))
            trading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await trading

    asyncio.run(scenario())
    market.settled_tables()


async def _trade_until_cancelled(market: Market, material: str) -> None:
    while True:
        await asyncio.to_thread(market.sell, "greta", material, 1, "9.00")
        await asyncio.to_thread(market.buy, "felix", material, 1, "9.00")


def test_the_command_shows_the_market_as_lines(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _find_always(market.environment, monkeypatch)
    market.token("felix")
    ended = threading.Event()

    def trade() -> None:
        while not ended.is_set():
            market.sell("greta", "wool", 1, "3.00")
            market.buy("felix", "wool", 1, "3.00")

    trading = threading.Thread(target=trade)
    trading.start()
    try:
        result = CliRunner().invoke(app, ["watch", "wool", "--player", "felix", "--seconds", "8"])
    finally:
        ended.set()
        trading.join()
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    for beginning in ("book at ", "trade: 1 at 3.00", "own buy order ", "own fill: bought 1 at 3.00"):
        assert any(line.startswith(beginning) for line in lines), result.output


def test_a_material_that_is_not_traded_is_no_market_to_watch(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    _find_always(market.environment, monkeypatch)
    result = CliRunner().invoke(app, ["watch", "moonstone", "--seconds", "1"])
    assert result.exit_code == 1
    assert "known_material" in result.output


def _find_always(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_environment(_: str) -> Environment:
        return environment

    monkeypatch.setattr(cli.watch, "find_environment", find_environment)

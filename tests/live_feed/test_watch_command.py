"""`market watch` against a feed and an API that have bad moments."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

import cli.watch
from cli.environments import Environment
from cli.failures import MarketRefusedError
from cli.watch import WatchSession
from tests.json_server import JsonHandler, serving
from tests.live_feed.world import HTTP_HOST, Feed, running_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence


@dataclass
class Api:
    """Answers like the market's: first each of the `statuses`, then with what there was before `before_answer`."""

    statuses: list[int] = field(default_factory=list[int])
    sequence: int = 0
    quantity: int = 1
    before_answer: Callable[[str], None] = field(default=lambda _: None)

    @contextlib.contextmanager
    def serve(self) -> Generator[str]:
        """Answer on a free port; gives the URL."""
        api = self

        class Handler(JsonHandler):
            def respond(self) -> None:
                what = self.path.partition("?")[0].rpartition("/")[2]
                status = api.statuses.pop(0) if api.statuses else 200
                document = api.answer(what) if status == 200 else {"message": "busy"}
                api.before_answer(what)
                self.answer(status, document)

        with serving(Handler) as url:
            yield url

    def answer(self, what: str) -> dict[str, Any]:
        """Return the book, the trades or the player's fills."""
        level = {"price": "7.00", "quantity": self.quantity, "orders": 1}
        trade = {"price": "7.00", "quantity": 3, "taker_side": "BUY", "at": "2026-11-21T08:00:00.007Z"}
        trades = [{"id": f"iron-ore-{n}-1", **trade} for n in range(self.sequence, 0, -1)]
        answers: dict[str, dict[str, Any]] = {
            "book": {"sequence": self.sequence, "asks": [level], "bids": []},
            "trades": {"trades": trades},
            "fills": {"fills": []},
        }
        return answers[what]


class Pool:
    """Mints tokens; once those for the start and the feed are given, each of the `troubles` stands in the way once."""

    def __init__(self, feed: Feed, troubles: list[Exception]) -> None:
        self._feed = feed
        self._troubles = troubles
        self._minted = 0

    def player_id(self, player: str) -> str:
        return player

    def mint_token(self, player: str) -> str:
        self._minted += 1
        if self._minted > 4 and self._troubles:
            raise self._troubles.pop(0)
        return self._feed.issuer.token(player)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that are shown."""
    lines: list[str] = []

    def show(_: object, new: list[str]) -> None:
        lines.extend(new)

    monkeypatch.setattr(cli.watch._Lines, "show", show)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(cli.watch, "_TOKEN_AGE_S", -1.0)  # each use asks for a token
    return lines


async def _watched(
    monkeypatch: pytest.MonkeyPatch,
    feed: Feed,
    api_url: str,
    *,
    until: Callable[[], bool],
    material: str = "iron-ore",
    troubles: Sequence[Exception] = (),
) -> None:
    """Run the command until something holds."""
    outputs = {"api_url": api_url, "feed_http_host": HTTP_HOST}
    pool = Pool(feed, list(troubles))

    def pool_of(_: Environment) -> Pool:
        return pool

    monkeypatch.setattr(cli.watch, "PlayerPool", pool_of)
    environment = Environment("local", outputs, lambda _: None, feed.endpoint.realtime_url)
    following = asyncio.create_task(WatchSession(environment, material, "ann").follow(None))
    async with asyncio.timeout(30):
        while not until() and not following.done():
            await asyncio.sleep(0.01)
    if following.done():
        following.result()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


def test_an_api_and_a_player_pool_that_are_away_for_a_moment_end_nothing(
    shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api([200, 503, 503, 429, 500], sequence=2)
    trouble = EndpointConnectionError(endpoint_url="https://cognito")

    async def scenario() -> None:
        async with running_feed() as feed:
            with api.serve() as url:
                await _watched(monkeypatch, feed, url, until=lambda: "book at 2" in "".join(shown), troubles=[trouble])

    asyncio.run(scenario())
    assert shown == [
        'not to be read now: Could not connect to the endpoint URL: "https://cognito"',
        "not to be read now: refused (503): busy",  # once for both
        "not to be read now: refused (429): busy",
        "not to be read now: refused (500): busy",
        *["trade: 3 at 7.00, buyer took"] * 2,
        "book at 2: no bid, ask 1 at 7.00",
    ]


@pytest.mark.parametrize("on_the_way", ["fills", "trades"])
def test_an_answer_from_before_a_break_is_not_taken_for_one_after_it(
    shown: list[str], monkeypatch: pytest.MonkeyPatch, on_the_way: str
) -> None:
    """What came to rest during the break takes no commit: the sequence does not tell the two answers apart."""
    api = Api()
    asked: list[str] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with running_feed() as feed:

            def fall_behind(what: str) -> None:
                asked.append(what)
                if what == on_the_way and api.quantity == 1:  # the book is read before the trades
                    loop.call_soon_threadsafe(feed.cut)
                    while "connection restored, re-reading" not in shown:
                        time.sleep(0.01)
                    api.quantity = 2

            api.before_answer = fall_behind
            with api.serve() as url:
                await _watched(monkeypatch, feed, url, until=lambda: any("book at 0" in line for line in shown))

    asyncio.run(scenario())
    assert shown[1:] == ["connection restored, re-reading", "book at 0: no bid, ask 2 at 7.00"]
    assert asked.count("fills") == 2


def test_a_market_name_without_a_channel_is_refused(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running_feed() as feed:
            with Api().serve() as url, pytest.raises(MarketRefusedError, match="no channel"):
                await _watched(monkeypatch, feed, url, until=lambda: False, material="a_" * 15)

    asyncio.run(scenario())
    assert shown == []

"""Who gives way at the emulator, and who never waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from local.precedence import Precedence, access_key

if TYPE_CHECKING:
    from collections.abc import Callable

DELIVERING, FOLLOWING, LEADING = "000000000000", "ASIAFOLLOWER", "ASIALEADER"


def scope(key: str | None) -> dict[str, Any]:
    signed = [] if key is None else [(b"authorization", f"AWS4-HMAC-SHA256 Credential={key}/20261121/…".encode())]
    return {"type": "http", "headers": [(b"host", b"127.0.0.1"), *signed]}


class Slow:
    """An application whose requests end when they are told to; it notes which are under way."""

    def __init__(self) -> None:
        self.under_way: list[str | None] = []
        self.most_following = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], _receive: Any, _send: Any) -> None:
        key = access_key(scope)
        self.under_way.append(key)
        self.most_following = max(self.most_following, self.under_way.count(FOLLOWING))
        await self.go_on.wait()
        self.under_way.remove(key)


async def serve(application: Slow, *keys: str | None) -> tuple[Callable[[], None], list[asyncio.Task[None]]]:
    precedence = Precedence(application, {FOLLOWING}, DELIVERING)
    tasks = [asyncio.ensure_future(precedence(scope(key), None, None)) for key in keys]
    for _ in range(10):
        await asyncio.sleep(0)
    return application.go_on.set, tasks


def test_those_who_give_way_go_one_by_one_and_nobody_waits_for_them() -> None:
    async def scenario() -> Slow:
        application = Slow()
        go_on, tasks = await serve(application, FOLLOWING, FOLLOWING, LEADING, None, DELIVERING, FOLLOWING, LEADING)
        assert sorted(map(str, application.under_way)) == sorted([FOLLOWING, LEADING, LEADING, DELIVERING, "None"]), (
            "all but two of those who follow are served"
        )
        go_on()
        await asyncio.wait_for(asyncio.gather(*tasks), 10)
        return application

    application = asyncio.run(scenario())
    assert (application.under_way, application.most_following) == ([], 1)


def test_a_request_that_fails_leaves_the_turn_to_the_next() -> None:
    class Failing(Slow):
        async def __call__(self, scope: dict[str, Any], _receive: Any, _send: Any) -> None:
            raise ConnectionError(access_key(scope))

    async def scenario() -> list[BaseException | None]:
        _, tasks = await serve(Failing(), FOLLOWING, FOLLOWING)
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    assert [str(error) for error in asyncio.run(scenario())] == [FOLLOWING, FOLLOWING]


def test_the_key_is_the_signatures() -> None:
    assert access_key(scope(LEADING)) == LEADING
    assert access_key(scope(None)) is None
    assert access_key({"type": "http", "headers": [(b"authorization", b"Bearer a.b.c")]}) is None

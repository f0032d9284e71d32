"""A different game's service, with its own program and Lambda code, deployed on this machine and played."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GUILD = Path(__file__).resolve().parents[3] / "examples" / "other-game"


@pytest.fixture(scope="module")
def guild(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    folder = tmp_path_factory.mktemp("dungeon-guild")
    running = up("local", root=GUILD, folder=folder)
    try:
        yield running
    finally:
        down("local", root=GUILD, folder=folder)


def ask(guild: RunningEnvironment, **event: Any) -> dict[str, Any]:
    """Say something in the tavern."""
    answer = guild.client("lambda").invoke(
        FunctionName=guild.outputs["tavern_function_name"], Payload=json.dumps(event)
    )
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def wait_for(question: Callable[[], dict[str, Any]], ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while not ready(answer := question()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def test_a_full_party_raids_once_and_shares_the_loot(guild: RunningEnvironment) -> None:
    party = ("ann", "bob", "cid")
    for character in party:
        assert ask(guild, create=character, gold=50) == {"version": 1}
    assert ask(guild, raid="crypt/first")["status"] == "WAITING"

    # Everybody joins twice and at once: the party fills once.
    def join(character: str) -> str:
        return ask(guild, join="crypt/first", character=character)["joined"]

    with ThreadPoolExecutor(max_workers=3) as friends:
        joined = list(friends.map(join, party * 2))
    assert joined.count("COMPLETED") == 1
    assert ask(guild, join="crypt/first", character="dan") == {"joined": "LATE"}

    raid = wait_for(lambda: ask(guild, raid="crypt/first"), lambda raid: raid["status"] == "COMPLETED")
    assert raid == {"status": "COMPLETED", "rooms_cleared": 4, "reason": ""}
    for character in party:
        story = wait_for(lambda name=character: ask(guild, story=name), lambda story: len(story["lines"]) == 3)
        assert story["lines"] == [
            f"{character}: created, 50 gold",
            "raids: entrance of crypt, 40 gold",
            "raids: loot of crypt, 80 gold",
        ]
        assert story["holds"], "the chain of versions is whole"


def test_a_member_who_cannot_pay_keeps_all_out(guild: RunningEnvironment) -> None:
    for character, gold in (("eve", 50), ("fay", 50), ("gil", 3)):
        ask(guild, create=character, gold=gold)
        ask(guild, join="tower/poor", character=character)
    raid = wait_for(lambda: ask(guild, raid="tower/poor"), lambda raid: raid["status"] == "COMPENSATED")
    assert raid["status"] == "COMPENSATED"
    assert "gil cannot pay 10 gold" in raid["reason"]
    for character in ("eve", "fay"):
        assert ask(guild, story=character)["lines"] == [f"{character}: created, 50 gold"]


def test_a_character_is_not_overwritten_unseen(guild: RunningEnvironment) -> None:
    ask(guild, create="hal", gold=5)
    assert ask(guild, equip="hal", item="sword", version=1) == {"version": 2}
    assert ask(guild, equip="hal", item="shield", version=1) == {"conflict": True, "version": 2}
    assert ask(guild, equip="hal", item="shield", version=2) == {"version": 3}

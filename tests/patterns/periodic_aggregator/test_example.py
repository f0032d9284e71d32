"""The example, deployed on this machine and used."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import RunningEnvironment, down, up

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "periodic_aggregator"
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEnvironment]:
    folder = tmp_path_factory.mktemp("leaderboard")
    running = up("local", root=EXAMPLE, folder=folder)
    try:
        yield running
    finally:
        down("local", root=EXAMPLE, folder=folder)


def call(game: RunningEnvironment, function: str, event: dict[str, Any]) -> Any:
    name = game.outputs[f"{function}_function_name"]
    answer = game.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    body = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, body
    return body


def board(game: RunningEnvironment, start_ms: int, after_revision: int) -> tuple[int, list[tuple[str, str]]]:
    key = {"board_id": {"S": f"forest#{start_ms}"}}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = game.client("dynamodb").get_item(TableName=game.outputs["boards_table_name"], Key=key)
        item = answer.get("Item", {"revision": {"N": "0"}})
        if int(item["revision"]["N"]) > after_revision:
            lines = [(line["M"]["player"]["S"], line["M"]["points"]["N"]) for line in item["board"]["L"]]
            return int(item["revision"]["N"]), lines
        time.sleep(0.1)
    raise AssertionError(f"no board after revision {after_revision}")


def test_each_minute_gets_one_board_and_a_late_score_another_revision(game: RunningEnvironment) -> None:
    # A minute of the past is due at once. The environment's own schedule may close it between any two of these calls.
    start_ms = (time.time_ns() // 1_000_000 // MINUTE_MS - 5) * MINUTE_MS

    def score(number: int, player: str, points: int) -> str:
        event = {"level": "forest", "score_id": f"s{number}", "player": player, "points": points, "at_ms": start_ms}
        return call(game, "score", event)["placed"]

    assert score(1, "ann", 5) == "ADDED"
    assert {score(2, "bob", 7), score(3, "ann", 4)} <= {"ADDED", "REOPENED"}
    assert score(3, "ann", 4) == "DUPLICATE"
    revision, lines = 0, list[tuple[str, str]]()
    for execution in ("e1", "e1", "e2"):
        call(game, "closing", {"execution_id": execution})
    while len(lines) < 2 or lines[0] != ("ann", "9"):
        revision, lines = board(game, start_ms, revision)
    assert lines == [("ann", "9"), ("bob", "7")]

    assert score(4, "bob", 3) == "REOPENED"
    call(game, "closing", {"execution_id": "e3"})
    assert board(game, start_ms, revision) == (revision + 1, [("bob", "10"), ("ann", "9")])
    asked = {"level": "forest", "start_ms": start_ms}
    assert call(game, "ask", asked) == {"state": "DONE", "result": {"players": 2}, "scores": 4}
    assert call(game, "ask", {"unprocessed_since_s": 3600}) == {"due": []}

"""`market trace`: the waterfall of one order, and why what is not on it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.app import app
from cli.latency.samples import write_run
from market.tracing import HOPS
from tests.latency.ways import WAY_MS, mutation, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import ApiStandIn, Request, RunningStandIn

SAMPLE = mutation(0, 1000)
STORED = {name: SAMPLE.stamps[name] for name in HOPS if name != "published_at_ms"}
GROUP = "/of/the/matcher"
A_MINUTE_MS = 60_000


class Lambda:
    def get_function_configuration(self, **_: str) -> dict[str, Any]:
        return {"LoggingConfig": {"LogGroup": GROUP}}


class Logs:
    """Answers an empty page first, as CloudWatch Logs may."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.asked: list[dict[str, Any]] = []

    def filter_log_events(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if self.lines == ["denied"]:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "FilterLogEvents")
        if "nextToken" not in asked:
            return {"events": [], "nextToken": "more"}
        return {"events": [{"message": line} for line in self.lines]}


def answer_with(
    api: ApiStandIn, *, hops: dict[str, int], status: str = "FILLED", trace_id: str | None = None, side: str = "BUY"
) -> None:
    order = {
        "id": "order-0",
        "side": side,
        "material": "copper",
        "quantity": 3,
        "price": "12.50",
        "status": status,
        "trace": {"trace_id": trace_id or SAMPLE.trace_id, "hops": hops},
    }

    def answer(request: Request) -> tuple[int, dict[str, Any]]:
        return (
            (200, order) if request.path.endswith("/bids/order-0") else (404, {"error": {"message": "no such order"}})
        )

    api.answer = answer


@pytest.fixture
def logs(local_environment: RunningStandIn, monkeypatch: pytest.MonkeyPatch) -> Logs:
    """A matcher's log that tells when it published the order."""
    written_at = datetime.fromtimestamp(SAMPLE.stamps["published_at_ms"] / 1000, UTC).isoformat(timespec="milliseconds")
    line = {"message": "batch", "trace_ids": [SAMPLE.trace_id], "timestamp": written_at}
    other = {**line, "trace_ids": ["another"]}
    lines = ["START", f"no JSON but {SAMPLE.trace_id}", *map(json.dumps, ([SAMPLE.trace_id], other, {}, line))]
    found = Logs(lines)
    services = {"logs": found, "lambda": Lambda(), "cognito-idp": local_environment.pool}
    monkeypatch.setattr(local_environment, "client", services.__getitem__)
    local_environment.outputs |= {"feed_http_host": "feed.example", "matcher_function_name": "matcher"}
    return found


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["trace", "order-0", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_every_hop_is_shown_with_its_milliseconds(api: ApiStandIn, logs: Logs) -> None:
    answer_with(api, hops=STORED)
    text = shown()
    hops = ("gateway → API", "API store", "put → sequenced", "sequenced → matched", "matched → committed")
    for label, duration_ms in zip((*hops, "committed → published"), WAY_MS[1:], strict=True):
        (line,) = (line for line in text.splitlines() if label in line)
        assert line.split()[-1] == f"{duration_ms:.0f}"
    assert SAMPLE.trace_id in text
    assert "published: as the matcher's log says" in text
    assert "received missing: only a client knows: give --samples" in text
    assert logs.asked[0]["logGroupName"] == GROUP
    assert logs.asked[0]["filterPattern"] == f'"{SAMPLE.trace_id}"'
    assert STORED["committed_at_ms"] - 2_000 < logs.asked[0]["startTime"] < STORED["committed_at_ms"]
    assert logs.asked[0]["endTime"] > SAMPLE.stamps["published_at_ms"] + A_MINUTE_MS


@pytest.mark.parametrize("hops", [STORED, {"placed_at_ms": STORED["placed_at_ms"]}], ids=["taken first", "plain ask"])
def test_samples_add_what_clients_saw(hops: dict[str, int], api: ApiStandIn, logs: Logs, tmp_path: Path) -> None:
    receipts = dict(reversed(SAMPLE.receipts.items()))
    write_run(run_of([replace(SAMPLE, receipts=receipts)]), tmp_path / "samples.json")
    answer_with(api, hops=hops)
    text = shown("--samples", str(tmp_path / "samples.json"))
    for label in ("due → sent", "client → gateway", "matched → committed", "published → received", "± "):
        assert label in text
    assert [line for line in ("player 0", "watcher 1", "watcher 2") if f"published → {line}" in text] == [
        "watcher 1",
        "watcher 2",
    ]
    assert text.index("watcher 1") < text.index("watcher 2"), "the first to hear comes first"
    assert "missing" not in text
    assert api.requests[0].token == "token-of-player 0"


def test_a_player_who_was_never_told_is_said_to_be(api: ApiStandIn, logs: Logs, tmp_path: Path) -> None:
    untold = mutation(0, 1000, missed_by=["player 0"])
    write_run(run_of([untold]), tmp_path / "samples.json")
    answer_with(api, hops=STORED)
    text = shown("--samples", str(tmp_path / "samples.json"))
    assert "received missing: its player's client was never told" in text
    assert "due → sent" in text
    assert "published → watcher 1" in text


@pytest.mark.parametrize(
    ("hops", "order", "reason"),
    [
        ({**STORED, "put_at_ms": None}, ("BUY", "FILLED"), "put missing: it came by the change stream"),
        ({"placed_at_ms": 1}, ("SELL", "PENDING"), "matched missing: the matcher has not handled it yet"),
        ({"placed_at_ms": 1}, ("SELL", "PARTIALLY_FILLED"), "committed missing: an ask that rests at once is in"),
        ({"placed_at_ms": 1, "matched_at_ms": 2}, ("SELL", "NEW"), "sequenced missing: the matcher found the order in"),
        ({"placed_at_ms": 1}, ("BUY", "NEW"), "committed missing: it is not stored with the order"),
        ({"placed_at_ms": 1}, ("BUY", "NEW"), "received missing: the order was placed before orders were traced"),
    ],
)
def test_a_missing_hop_is_shown_with_its_reason(
    hops: dict[str, Any], order: tuple[str, str], reason: str, api: ApiStandIn, logs: Logs
) -> None:
    side, status = order
    stored = {name: value for name, value in hops.items() if value is not None}
    answer_with(api, hops=stored, status=status, side=side)
    assert reason in shown()


@pytest.mark.parametrize("later_ms", range(9))
def test_the_line_of_the_batch_that_stored_the_order_tells_when_it_was_published(
    later_ms: int, api: ApiStandIn, logs: Logs
) -> None:
    """Not that of a batch before, which was handed back; to the millisecond."""

    def line(written_at_ms: int) -> str:
        written_at = datetime.fromtimestamp(written_at_ms // 1000, UTC).replace(microsecond=written_at_ms % 1000 * 1000)
        return json.dumps({"trace_ids": [SAMPLE.trace_id], "timestamp": written_at.isoformat(timespec="milliseconds")})

    committed_at_ms = STORED["committed_at_ms"]
    published_at_ms = SAMPLE.stamps["published_at_ms"] + later_ms
    logs.lines = [line(committed_at_ms - 1), line(published_at_ms), line(published_at_ms + 500)]
    answer_with(api, hops=STORED)
    (shown_line,) = (line for line in shown().splitlines() if "committed → published" in line)
    assert shown_line.split()[-1] == str(published_at_ms - committed_at_ms)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [([], f"no line of {GROUP} tells it"), (["denied"], "the matcher's log cannot be read: An error occurred")],
)
def test_a_log_that_does_not_tell_or_may_not_be_read_is_a_reason(
    lines: list[str], reason: str, api: ApiStandIn, logs: Logs
) -> None:
    logs.lines = lines
    answer_with(api, hops=STORED)
    assert f"published missing: {reason}" in shown()


def test_without_a_feed_nothing_was_published(api: ApiStandIn, logs: Logs, local_environment: RunningStandIn) -> None:
    local_environment.outputs["feed_http_host"] = None
    answer_with(api, hops=STORED)
    assert "published missing: the environment has no live feed" in shown()
    assert logs.asked == []


def test_a_sample_of_another_order_says_so(api: ApiStandIn, logs: Logs, tmp_path: Path) -> None:
    write_run(run_of([replace(SAMPLE, order_id="another")]), tmp_path / "samples.json")
    answer_with(api, hops=STORED)
    assert "the samples file does not hold this order" in shown("--samples", str(tmp_path / "samples.json"))


def test_an_api_that_refuses_is_heard(api: ApiStandIn, logs: Logs) -> None:
    api.answer = lambda _: (503, {"error": {"message": "the market is busy"}})
    result = CliRunner().invoke(app, ["trace", "order-0"])
    assert (result.exit_code, "the market is busy" in result.stderr) == (1, True)
    assert len(api.requests) == 1


def test_an_order_nobody_has_is_one_line(api: ApiStandIn, logs: Logs) -> None:
    api.answer = lambda _: (404, {"error": {"message": "no"}})
    result = CliRunner().invoke(app, ["trace", "order-0"])
    assert result.exit_code == 1
    assert "player-01 has no order order-0; --player says whose it is" in result.stderr

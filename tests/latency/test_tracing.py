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
from tests.latency.ways import EPOCH_MS, WAY_MS, mutation, run_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import ApiStandIn, Request, RunningStandIn

SAMPLE = mutation(0, 1000)
STORED = {name: SAMPLE.stamps[name] for name in HOPS if name != "published_at_ms"}
GROUP = "/of/the/matcher"


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


def answer_with(api: ApiStandIn, *, hops: dict[str, int], status: str = "FILLED", trace_id: str | None = None) -> None:
    order = {
        "id": "order-0",
        "side": "BUY",
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
    assert logs.asked[0]["startTime"] < EPOCH_MS + 1000 < logs.asked[0]["endTime"]


def test_samples_add_what_clients_saw(api: ApiStandIn, logs: Logs, tmp_path: Path) -> None:
    write_run(run_of([SAMPLE]), tmp_path / "samples.json")
    answer_with(api, hops=STORED)
    text = shown("--samples", str(tmp_path / "samples.json"))
    for label in ("due → sent", "client → gateway", "published → received", "published → watcher 1", "± "):
        assert label in text
    assert "missing" not in text
    assert api.requests[0].token == "token-of-player 0"


@pytest.mark.parametrize(
    ("hops", "status", "reason"),
    [
        ({**STORED, "put_at_ms": None}, "FILLED", "put missing: it came by the change stream"),
        ({"placed_at_ms": 1}, "PENDING", "matched missing: the matcher has not handled it yet"),
        ({"received_at_ms": 1, "placed_at_ms": 1}, "NEW", "committed missing: the matcher stores it with the first"),
        ({"placed_at_ms": 1}, "NEW", "received missing: the order was placed before orders were traced"),
    ],
)
def test_a_missing_hop_is_shown_with_its_reason(
    hops: dict[str, Any], status: str, reason: str, api: ApiStandIn, logs: Logs
) -> None:
    answer_with(api, hops={name: value for name, value in hops.items() if value is not None}, status=status)
    assert reason in shown()


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


def test_an_order_nobody_has_is_one_line(api: ApiStandIn, logs: Logs) -> None:
    api.answer = lambda _: (404, {"error": {"message": "no"}})
    result = CliRunner().invoke(app, ["trace", "order-0"])
    assert result.exit_code == 1
    assert "this player has no order order-0" in result.stderr

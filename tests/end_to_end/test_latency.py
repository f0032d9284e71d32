"""The latency harness against the real environment: everything it sends is seen to arrive, and its way is known."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from cli.app import app
from cli.latency.figures import figures_of
from cli.latency.samples import read_run
from tests.end_to_end.conftest import eventually

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from local.environment import RunningEnvironment
    from tests.end_to_end.conftest import Market


def test_every_mutation_of_a_run_arrives_and_can_be_traced(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(_stack: str) -> RunningEnvironment:
        return market.running

    def open_orders() -> int:
        books = [market.get("reader", "materials", name, "book").accepted() for name in market.environment.materials]
        return sum(level["orders"] for book in books for side in ("asks", "bids") for level in book[side])

    monkeypatch.setattr("cli.environments.find", find)
    found = open_orders()
    samples, report = tmp_path / "samples.json", tmp_path / "report.html"
    load = ["--rate", "3", "--minutes", "0.1", "--players", "4", "--watchers", "1"]
    measured = CliRunner().invoke(app, ["latency", *load, "--json", str(samples), "--report", str(report)])
    assert measured.exit_code == 0, measured.output
    run = read_run(samples)
    figures = figures_of(run)
    assert (len(run.samples), figures.counted, figures.lost) == (18, 18, 0)
    assert run.detection.undetected == ()
    assert math.isfinite(figures.whole.max_ms)
    told = {hop.label for hop in figures.hops}
    assert {"client → gateway", "gateway → API", "sequenced → matched", "published → received"} <= told
    assert report.read_text(encoding="utf-8").count("<svg") == 3
    # None of the run's: others' orders may have traded with them.
    eventually(open_orders, lambda left: left <= found)

    committed = next(sample for sample in run.samples if "committed_at_ms" in sample.stamps and sample.side == "BUY")
    assert committed.order_id is not None
    traced = CliRunner().invoke(app, ["trace", committed.order_id, "--samples", str(samples)])
    assert traced.exit_code == 0, traced.output
    assert committed.trace_id in traced.output
    for label in ("due → sent", "matched → committed", "committed → published", "published → watcher 1"):
        assert label in traced.output

    # Without samples, the matcher's own log tells when the order was published.
    player = ("--player", committed.player)
    logged = CliRunner().invoke(app, ["trace", committed.order_id, *player])
    assert re.search(r"committed → published\s.*\d", logged.output), logged.output

"""The model's figures: within the targets where the fast way is on, the same for the same seed."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from cli.latency_model.hops import Clients
from cli.latency_model.modelling import TARGET_P50_MS, TARGET_P99_MS, model_latency
from cli.latency_model.monte_carlo import simulate
from cli.latency_model.path import buyers_path
from cli.latency_model.way import Calls, hops_of
from tests.latency_model.exported import API, MATCHER, export_of

SAMPLES = 20_000
FEW = 5_000


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_way_as_deployed_keeps_the_targets(environment: str) -> None:
    modelled = model_latency(export_of(environment).graph(), samples=SAMPLES)
    assert modelled.way.polled == ()
    assert modelled.way.pushed
    assert modelled.way.whole.p50_ms < TARGET_P50_MS
    assert modelled.way.whole.p99_ms < TARGET_P99_MS
    assert modelled.way.on_target


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_default_way_can_not_keep_them(environment: str) -> None:
    default = model_latency(export_of(environment).graph(), samples=FEW).default_way
    assert len(default.polled) == 3
    assert default.whole.p50_ms > 1000
    assert default.within_target < 0.001


def test_without_the_fast_way_both_ways_are_one() -> None:
    modelled = model_latency(export_of("dev").graph(), samples=FEW)
    assert modelled.way.whole == modelled.default_way.whole
    assert not modelled.way.pushed


def test_one_polled_stream_is_enough_to_miss_them() -> None:
    export = export_of("prod")
    export.drop_variable(API, "ORDERS_STREAM_NAME")
    assert not model_latency(export.graph(), samples=FEW).way.on_target


def test_figures_follow_from_the_seed() -> None:
    graph = export_of("prod").graph()
    first, again, other = (model_latency(graph, samples=2000, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.way.whole != other.way.whole
    assert other.way.whole.p50_ms == pytest.approx(first.way.whole.p50_ms, rel=0.05)


def test_it_is_plain_data_that_adds_up() -> None:
    modelled = model_latency(export_of("prod").graph(), samples=2000)
    document = json.loads(json.dumps(asdict(modelled)))
    hops = document["way"]["hops"]
    assert sum(hop["share"] for hop in hops) == pytest.approx(1)
    assert sum(hop["figures"]["mean_ms"] for hop in hops) == pytest.approx(document["way"]["whole"]["mean_ms"])
    assert sum(hop["slow_ms"] for hop in hops) >= document["way"]["whole"]["p99_ms"]
    assert all(hop["source"] and hop["basis"] in ("published", "bounded", "assumed") for hop in hops)


def test_instances_that_are_not_kept_warm_start_cold_now_and_then() -> None:
    cold = {name: f"cold start of {name}" for name in (API, MATCHER)}
    export = export_of("prod")

    def cold_hops(share: float | None = None) -> list[str]:
        modelled = model_latency(export.graph(), samples=2000, cold_share=share)
        return [hop.label for hop in modelled.way.hops if hop.label.startswith("cold start")]

    assert cold_hops() == []
    assert cold_hops(0.02) == [f"{label}, 2.0% of orders" for label in cold.values()]
    export.remove(type_="aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig")
    assert cold_hops() == [f"{label}, 1.0% of orders" for label in cold.values()]
    assert cold_hops(0) == []


def test_a_cold_start_is_waited_for_in_its_share_of_the_orders() -> None:
    graph = export_of("prod").graph()
    never, always = (model_latency(graph, samples=FEW, cold_share=share).way.whole for share in (0, 1))
    assert always.mean_ms - never.mean_ms > 2 * 400


def test_more_memory_more_of_a_core() -> None:
    export = export_of("prod")
    export.set(API, memorySize=128)
    small = model_latency(export.graph(), samples=FEW).way.whole
    export.set(API, memorySize=1769)
    core = model_latency(export.graph(), samples=FEW).way.whole
    export.set(API, memorySize=10_240)  # more cores, but one thread
    assert model_latency(export.graph(), samples=FEW).way.whole == core
    assert small.p50_ms > core.p50_ms + 10


def test_reading_side_by_side_waits_for_the_slowest_only() -> None:
    graph = export_of("prod").graph()
    one_by_one, together = (
        model_latency(graph, samples=FEW, calls=Calls(matching_reads=reads)).way.whole for reads in ((1, 1, 1), (3,))
    )
    assert 5 < one_by_one.p50_ms - together.p50_ms < 10


def test_players_far_away_wait_longer() -> None:
    graph = export_of("prod").graph()
    fixed, mobile = (model_latency(graph, samples=FEW, clients=clients).way.whole for clients in Clients)
    assert mobile.p50_ms > fixed.p50_ms + 20


def test_too_few_samples_are_refused() -> None:
    hops = hops_of(buyers_path(export_of("prod").graph()), Calls(), Clients.FIXED, None)
    with pytest.raises(ValueError, match="samples must be 1000 at least"):
        simulate(hops, samples=999, seed=1, limit_ms=300)
    with pytest.raises(ValueError, match="hops must be one at least"):
        simulate([], samples=1000, seed=1, limit_ms=300)

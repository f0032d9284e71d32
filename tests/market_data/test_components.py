"""What the component deploys: rights, variables, filters, routes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest

from components.market_data import MarketData
from functions.environment import (
    CandlesCollectorEnvironment,
    CandlesEnvironment,
    FillsEnvironment,
    FunctionEnvironment,
    MarketDataEnvironment,
)
from local.delivery.filters import compile_pattern
from market.tape import TapeCommit
from patterns.periodic_aggregator import LatePolicy, PeriodicAggregatorSettings
from tests.components.graph import Graph, environment_graph, record
from tests.components.market_part import RULES, rights, surroundings
from tests.market_data.reference import START_MS, traded
from tests.market_data.variables import VARIABLES
from tests.market_data.world import TABLES, stream_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.components import rules

MODELS: dict[str, type[FunctionEnvironment]] = {
    "functions.candles.handler": CandlesEnvironment,
    "functions.candles_collector.handler": CandlesCollectorEnvironment,
    "functions.market_data_api.handler": MarketDataEnvironment,
    "functions.fills_api.handler": FillsEnvironment,
}


@functools.cache
def graph() -> Graph:
    def program() -> None:
        around = surroundings({name: keys for name, keys in TABLES.items() if name not in ("candles", "minutes")})
        MarketData(
            "market-data",
            {
                "settings": around.settings,
                "api": around.api,
                "tape": around.tables["tape"],
                "journal": around.tables["journal"],
                "asks": around.tables["asks"],
                "standing_bids": around.tables["standing_bids"],
                "alarm_topic_arn": around.topic_arn,
            },
        )

    return record(program)


@pytest.mark.parametrize("rule", RULES)
def test_it_keeps_the_rules_of_the_house(rule: Callable[[Graph], rules.Violations]) -> None:
    assert rule(graph()) == []


def test_every_function_may_do_what_it_does_and_no_more() -> None:
    assert rights(graph(), "market-data-collector") == {"market-data-minutes-buckets": {"PutItem", "UpdateItem"}}
    assert rights(graph(), "market-data-minutes-handler") == {
        "market-data-minutes-buckets": {"GetItem", "Query", "UpdateItem"},
        "market-data-minutes-buckets/index/pending": {"Query"},
        "market-data-candles": {"GetItem", "PutItem", "Query"},
    }
    assert rights(graph(), "market-data-api") == {
        "market-data-candles": {"Query"},
        "market-data-minutes-buckets": {"Query"},
        "tape": {"Query"},
        "asks": {"Query"},
        "standing-bids": {"Query"},
    }
    assert rights(graph(), "market-data-fills") == {"journal": {"Query"}, "tape": {"BatchGetItem"}}


def test_every_function_gets_exactly_the_variables_it_reads() -> None:
    for node in graph().of_type("aws:lambda/function:Function"):
        variables: dict[str, Any] = node.inputs["environment"]["variables"]
        model = MODELS[node.inputs["handler"]]
        assert set(variables) == set(model.variables()) - {"FEED_HTTP_HOST"}
        model.from_environ(variables)
        if "PERIODIC_AGGREGATOR_TABLE" in variables:
            read = PeriodicAggregatorSettings.from_environ(variables)
            assert (read.width_ms, read.late) == (60_000, LatePolicy.REOPEN)
            tested = {name: text for name, text in VARIABLES.items() if name.startswith("PERIODIC_AGGREGATOR_")}
            del tested["PERIODIC_AGGREGATOR_TABLE"]
            assert {name: variables[name] for name in tested} == tested
    assert graph().of_type("aws:lambda/layerVersion:LayerVersion") == []


def test_tables_have_the_keys_the_functions_use() -> None:
    nodes = {"candles": "market-data-candles-table", "minutes": "market-data-minutes-buckets-table"}
    for table, node in nodes.items():
        inputs = graph().named("aws:dynamodb/table:Table", node).inputs
        assert (inputs["hashKey"], inputs["rangeKey"]) == tuple(name for name, _ in TABLES[table])


def test_only_new_commits_that_traded_are_collected() -> None:
    mapping = graph().named("aws:lambda/eventSourceMapping:EventSourceMapping", "tape-to-market-data-collector-mapping")
    (pattern,) = mapping.inputs["filterCriteria"]["filters"]
    compiled = compile_pattern(pattern["pattern"])
    some = stream_record(traded(1, START_MS, (100, 1)))
    assert compiled.matches(some)
    assert not compiled.matches(some | {"eventName": "MODIFY"})
    assert not compiled.matches(stream_record(TapeCommit("copper", 2, START_MS, START_MS, ())))


def test_with_a_live_feed_every_new_commit_is_told_of() -> None:
    """A commit without trades is in no candle, but may have closed orders, and moves the book."""
    mapping = next(
        node
        for node in environment_graph("staging").of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
        if node.name.endswith("tape-to-data-collector-mapping")
    )
    (pattern,) = mapping.inputs["filterCriteria"]["filters"]
    compiled = compile_pattern(pattern["pattern"])
    some = stream_record(TapeCommit("copper", 2, START_MS, START_MS, ()))
    assert compiled.matches(some)
    assert not compiled.matches(some | {"eventName": "MODIFY"})


def test_the_routes_are_for_players() -> None:
    scopes = {
        node.inputs["routeKey"]: node.inputs.get("authorizationScopes")
        for node in graph().of_type("aws:apigatewayv2/route:Route")
    }
    assert scopes == dict.fromkeys(
        ("GET /materials/{material}/candles", "GET /materials/{material}/ticker", "GET /fills")
    )

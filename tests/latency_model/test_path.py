"""The buyer's way in every environment's graph: which streams are polled on it, and what happens to it when the graph
changes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from cli.latency_model.graph import UnusableExportError, read_export
from cli.latency_model.path import MissingEdgeError, buyers_path
from tests.latency_model.exported import API, BIDS, COLLECTOR, FAN_OUT, MAPPING, MATCHER, ORDERS, PIPE, TAPE, export_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.latency_model.exported import Entry, Export

FAST = ("local", "staging", "prod")
POLLED_BIDS = f"{PIPE} polls change stream of {BIDS}"
POLLED_ORDERS = f"{MATCHER} polls {ORDERS}"
POLLED_TAPE = f"{COLLECTOR} polls change stream of {TAPE}"
NAMESPACE = "aws:appsync/channelNamespace:ChannelNamespace"


def polled(export: Export) -> list[str]:
    return list(map(str, buyers_path(export.graph()).polled))


@pytest.mark.parametrize("environment", FAST)
def test_no_polled_stream_is_on_the_way(environment: str) -> None:
    assert polled(export_of(environment)) == []


@pytest.mark.parametrize("environment", FAST)
def test_the_default_way_through_the_same_resources_polls_three_times(environment: str) -> None:
    path = buyers_path(export_of(environment).graph(), short_cuts=False)
    assert list(map(str, path.polled)) == [POLLED_BIDS, POLLED_ORDERS, POLLED_TAPE]
    assert path.event_api is not None


def test_without_settings_of_the_fast_way_every_stream_is_polled_and_nothing_pushes() -> None:
    path = buyers_path(export_of("dev").graph())
    assert list(map(str, path.polled)) == [POLLED_BIDS, POLLED_ORDERS, POLLED_TAPE]
    assert path.event_api is None


def no_variable(function: str, variable: str) -> Callable[[Export], None]:
    return lambda export: export.drop_variable(function, variable)


def denied(function: str, action: str) -> Callable[[Export], None]:
    def change(export: Export) -> None:
        export.reword(function, action, '"Effect": "Allow"', '"Effect": "Deny"')

    return change


def no_right(function: str, action: str) -> Callable[[Export], None]:
    return lambda export: export.revoke(function, action)


def unreadable(function: str, action: str) -> Callable[[Export], None]:
    """An encrypted policy cannot be read: what it allows is not counted on."""
    return lambda export: export.reword(function, action, '"Statement"', '"statement')


def only_own_channels(export: Export) -> None:
    """What only its own player hears is not what every client waits for."""
    namespaces = {entry["inputs"]["name"]: entry for entry in export.entries if entry["type"] == NAMESPACE}
    market = namespaces["market"]
    export.entries.insert(0, namespaces["players"])
    arn = market["outputs"]["channelNamespaceArn"]
    export.reword(MATCHER, "appsync:EventPublish", arn, arn.replace("market", "other"))


def changed(resource: str, /, **properties: object) -> Callable[[Export], None]:
    return lambda export: export.set(resource, **properties)


def removed(name: str) -> Callable[[Export], None]:
    return lambda export: export.remove(name=name)


def polls_the_stream(export: Export) -> None:
    export.set(MAPPING, eventSourceArn=export.named(ORDERS)["outputs"]["arn"])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (no_variable(API, "ORDERS_STREAM_NAME"), [POLLED_BIDS]),
        (no_right(API, "kinesis:PutRecord"), [POLLED_BIDS]),
        (changed(ORDERS, name="another"), [POLLED_BIDS]),
        (polls_the_stream, [POLLED_ORDERS]),
        (no_variable(MATCHER, "FEED_HTTP_HOST"), [POLLED_TAPE]),
        (no_right(MATCHER, "appsync:EventPublish"), [POLLED_TAPE]),
        (denied(API, "kinesis:PutRecord"), [POLLED_BIDS]),
        (unreadable(API, "kinesis:PutRecord"), [POLLED_BIDS]),
        (only_own_channels, [POLLED_TAPE]),
    ],
    ids=[
        "no express lane",
        "no right to put",
        "another stream",
        "no fan-out",
        "no feed",
        "no right to publish",
        "denied to put",
        "unreadable rights",
        "no right to publish to everybody",
    ],
)
@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_a_polled_stream_on_the_way_is_found_and_named(
    environment: str, change: Callable[[Export], None], found: list[str]
) -> None:
    export = export_of(environment)
    change(export)
    assert polled(export) == found


@pytest.mark.parametrize("polling_first", [False, True])
def test_a_second_mapping_that_polls_does_not_slow_the_one_that_is_pushed_to(*, polling_first: bool) -> None:
    export = export_of("prod")
    second = copy.deepcopy(export.named(MAPPING))
    second["urn"] += "-second"
    for side in ("inputs", "outputs"):
        second[side]["eventSourceArn"] = export.named(ORDERS)["outputs"]["arn"]
    export.entries.insert(0 if polling_first else len(export.entries), second)
    assert polled(export) == []
    export.set(MAPPING, enabled=False)
    assert polled(export) == [POLLED_ORDERS]


def test_without_the_event_api_nothing_pushes() -> None:
    export = export_of("prod")
    export.remove(type_=NAMESPACE)
    path = buyers_path(export.graph())
    assert path.event_api is None
    assert len(path.polled) == 1


def test_the_way_is_told_from_the_client_to_the_client() -> None:
    stations = buyers_path(export_of("prod").graph()).stations()
    assert stations[:2] == ["client", "route POST /bids"]
    assert stations[2:-2] == [API, BIDS, ORDERS, FAN_OUT, MATCHER, TAPE]
    assert stations[-1] == "client"


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        (changed("market-http-post-bids-route", routeKey="PUT /bids"), "no route POST /bids"),
        (changed("market-http-post-bids-route", target="integrations/other"), "no integration"),
        (
            changed("market-http-market-buy-api-integration", integrationUri="https://elsewhere"),
            "no function of the stack",
        ),
        (no_variable(API, "BIDS_TABLE"), "no table of the stack: BIDS_TABLE"),
        (no_right(API, "dynamodb:PutItem"), f"no dynamodb:PutItem on {BIDS}"),
        (no_right(MATCHER, "dynamodb:UpdateItem"), f"no function that may write {BIDS} reads {ORDERS}"),
        (changed(MAPPING, enabled=False), f"no function that may write {BIDS} reads {ORDERS}"),
        (removed(MAPPING), f"no function that may write {BIDS} reads {ORDERS}"),
        (no_variable(MATCHER, "TAPE_TABLE"), "TAPE_TABLE"),
    ],
)
def test_a_way_that_ends_early_says_which_edge_is_missing(change: Callable[[Export], None], missing: str) -> None:
    export = export_of("prod")
    change(export)
    with pytest.raises(MissingEdgeError, match=missing):
        buyers_path(export.graph())


def test_without_express_lane_the_pipe_is_needed() -> None:
    export = export_of("dev")
    export.set(PIPE, source="arn:aws:dynamodb:eu-central-1:123456789012:table/other/stream/1")
    with pytest.raises(MissingEdgeError, match=f"no Pipe reads the change stream of {BIDS}"):
        buyers_path(export.graph())
    export = export_of("dev")
    export.set(PIPE, target="arn:aws:sqs:eu-central-1:123456789012:queue")
    with pytest.raises(MissingEdgeError, match=f"{PIPE} leads to no Kinesis stream"):
        buyers_path(export.graph())


def test_without_feed_a_reader_of_the_tape_is_needed() -> None:
    export = export_of("dev")
    for name in ("settlement-submitter", "data-collector"):
        export.remove(name=f"market-matching-tape-to-{name}-mapping")
    with pytest.raises(MissingEdgeError, match=f"no function reads the change stream of {TAPE}"):
        buyers_path(export.graph())


@pytest.mark.parametrize("document", [None, [], {}, {"deployment": None}, {"deployment": {"resources": [1]}}])
def test_what_is_no_export_is_refused(document: object) -> None:
    with pytest.raises(UnusableExportError, match="not the JSON"):
        read_export(document)


def test_replaced_resources_and_secrets_are_read_as_what_they_are() -> None:
    export = export_of("prod")
    doomed: Entry = copy.deepcopy(export.named("market-http-post-bids-route")) | {"delete": True}
    doomed["outputs"]["target"] = "integrations/gone"
    export.entries.insert(0, doomed)
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    stream = export.named(ORDERS)["outputs"]["name"]
    variables = export.named(API)["outputs"]["environment"]["variables"]
    variables["ORDERS_STREAM_NAME"] = {**secret, "plaintext": f'"{stream}"'}
    assert polled(export) == []
    variables["ORDERS_STREAM_NAME"] = {**secret, "ciphertext": "AAAB"}
    assert polled(export) == [POLLED_BIDS]


def test_what_is_not_known_equals_nothing() -> None:
    half_made = {"urn": "urn:pulumi:prod::p::aws:sqs/queue:Queue::q", "type": "aws:sqs/queue:Queue"}
    graph = read_export({"deployment": {"resources": [half_made]}})
    assert len(graph.of_type("aws:sqs/queue:Queue")) == 1
    assert graph.find("aws:sqs/queue:Queue", name="") is None


def test_an_empty_stack_is_not_deployed() -> None:
    with pytest.raises(UnusableExportError, match="not deployed"):
        read_export({"deployment": {"resources": []}})

"""A client follows its order by the trace id it sent, or by the one it is given."""

from __future__ import annotations

import json
import logging
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import tracing
from functions.api.request import read_origin
from functions.tracing import Span, Tracer, XRayExporter, exporter_of
from market.tracing import HOPS, TraceParent, format_traceparent, new_span_id, new_trace_id, parse_traceparent
from tests.api.front_door import RECEIVED_AT_MS, FrontDoor, TestClock, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from patterns.dynamodb.items import Item

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"
ORDER = {"material": "copper", "quantity": 3, "price": "12.50"}

digits = st.text("0123456789abcdef", min_size=1, max_size=40)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
def test_what_is_written_is_read_again(trace: bytes, parent: bytes) -> None:
    trace_id, span_id = new_trace_id(lambda _size: trace), new_span_id(lambda _size: parent)
    header = format_traceparent(trace_id, span_id)
    assert parse_traceparent(header) == TraceParent(trace_id, span_id)
    assert header.endswith("-01"), "sampled: the trace is recorded, whatever the client's flag"


@pytest.mark.parametrize(
    ("header", "is_read"),
    [
        (HEADER, True),
        (f"00-{TRACE}-{PARENT}-00", True),
        (f"cc-{TRACE}-{PARENT}-01", True),  # a version to come, and its further fields
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", True),
        (f"cc-{TRACE}-{PARENT}-01-", True),
        (f"00-{TRACE}-{PARENT}-01-", False),
        (f"00-{TRACE}-{PARENT}-01-what-the-future-will-be-like", False),
        (f"cc-{TRACE}-{PARENT}-01.what-the-future-will-be-like", False),
        (f"ff-{TRACE}-{PARENT}-01", False),
        (f"00-{'0' * 32}-{PARENT}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (f"00-{TRACE.upper()}-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT.upper()}-01", False),
        (f"0A-{TRACE}-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT}-0A", False),
        (f"cc-{TRACE}-{PARENT}-010", False),
        (f"00-{TRACE[1:]}-{PARENT}-01", False),
        (f"00-{TRACE}0-{PARENT}-01", False),
        (f"00-{TRACE}-{PARENT}", False),
        (f"{HEADER},{HEADER}", False),
        (f"{HEADER}\n", False),
        ("", False),
    ],
)
def test_a_header_is_read_as_w3c_says(header: str, is_read: bool) -> None:
    assert parse_traceparent(header) == (TraceParent(TRACE, PARENT) if is_read else None)


@given(
    st.sampled_from([{}, {"headers": None}, {"headers": {}}, {"headers": {"traceparent": 7}}])
    | st.fixed_dictionaries({"headers": st.fixed_dictionaries({"traceparent": st.text() | digits})}),
    st.sampled_from([{}, {"requestContext": None}, {"requestContext": {}}, {"requestContext": {"timeEpoch": "x"}}]),
)
def test_no_header_makes_a_request_fail(headers: Mapping[str, Any], context: Mapping[str, Any]) -> None:
    origin = read_origin({**headers, **context}, 17, lambda size: b"\x07" * size)
    assert origin == ("07" * 16, 17)


@given(st.text())
def test_whatever_the_tracestate_says_the_trace_is_kept(state: str) -> None:
    """As W3C asks. Nothing of it is passed on."""
    event = {"headers": {"traceparent": HEADER, "tracestate": state}, "requestContext": {"timeEpoch": 7}}
    assert read_origin(event, 17, lambda size: b"\x07" * size) == (TRACE, 7)


@pytest.mark.parametrize("side", ["asks", "bids"])
def test_an_order_keeps_the_trace_of_the_request_that_placed_it(market: FrontDoor, side: str) -> None:
    placed = market.send("POST", f"/{side}", ORDER | {"client_order_id": "a"}, traceparent=HEADER)
    trace = placed.body["trace"]
    assert trace["trace_id"] == TRACE
    assert list(trace["hops"]) == list(HOPS[:2])
    assert trace["hops"]["received_at_ms"] == RECEIVED_AT_MS
    stored = [item for items in market.stored().values() for item in items if "placed_at_ms" in item]
    assert [item["trace_id"] for item in stored] == [TRACE] * (2 if side == "asks" else 1)
    other = f"00-{'7' * 32}-{PARENT}-01"
    again = market.send("POST", f"/{side}", ORDER | {"client_order_id": "a"}, traceparent=other)
    found = market.send("GET", f"/{side}/{placed.body['id']}")
    assert (again.body["trace"], found.body["trace"]) == (trace, trace)
    assert again.headers["traceresponse"].startswith(f"00-{'7' * 32}-")


def test_what_the_matcher_noted_of_the_way_is_shown_in_order(market: FrontDoor) -> None:
    bid = market.send("POST", "/bids", ORDER).body
    noted: Item = {"committed_at_ms": 14, "put_at_ms": 11, "sequenced_at_ms": 12, "matched_at_ms": 13, "later": 99}
    further: Item = {"matched_at_ms": 20, "hops": noted}
    market.put("bids", market.stored()["bids"][0] | further)
    hops = market.send("GET", f"/bids/{bid['id']}").body["trace"]["hops"]
    assert list(hops.items())[2:] == [
        ("put_at_ms", 11),
        ("sequenced_at_ms", 12),
        ("matched_at_ms", 13),
        ("committed_at_ms", 14),
    ]


def test_what_became_of_a_plain_ask_later_is_no_hop_of_its_placing(market: FrontDoor) -> None:
    """Its record says when the matcher closed it."""
    ask = market.send("POST", "/asks", ORDER).body
    closed: Item = {"status": "CANCELED", "reason": "REQUESTED", "filled": 0, "matched_at_ms": 99, "sequenced_at_ms": 9}
    market.put("sell-orders", market.stored()["sell-orders"][0] | closed)
    (open_ask,) = market.stored()["asks"]
    key = {name: {"S": str(open_ask[name])} for name in ("material", "price_key")}
    market.client.delete_item(TableName="asks", Key=key)
    found = market.send("GET", f"/asks/{ask['id']}").body
    assert (found["status"], found["trace"]) == ("CANCELED", ask["trace"])


def test_an_order_from_before_it_had_a_trace_is_shown(market: FrontDoor) -> None:
    ask = market.send("POST", "/asks", ORDER).body
    for table in ("asks", "sell-orders"):
        item = market.stored()[table][0]
        market.put(table, {name: item[name] for name in item.keys() - {"trace_id", "received_at_ms"}})
    placed_at_ms = ask["trace"]["hops"]["placed_at_ms"]
    for shown in (market.send("GET", f"/asks/{ask['id']}").body, *market.send("GET", "/asks").body["asks"]):
        assert shown == ask | {"trace": {"trace_id": None, "hops": {"placed_at_ms": placed_at_ms}}}


REQUESTS = (
    ("GET", "/asks", "alice"),
    ("POST", "/bids", "alice"),
    ("DELETE", "/bids", "alice"),
    ("PATCH", "/asks/nothing", "alice"),
    ("PUT", "/asks", "alice"),
    ("GET", "/nowhere", "alice"),
    ("GET", "/bids", None),
    ("GET", "/materials/copper/book", "alice"),
)


def test_every_answer_and_its_log_line_name_the_trace_also_of_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with opened("traced") as market:
        told = [
            market.send(method, path, player=player, traceparent=header).headers["traceresponse"]
            for method, path, player in REQUESTS
            for header in (HEADER, "nonsense", None)
        ]
    traces = [found for found in map(parse_traceparent, told) if found is not None]
    assert len(traces) == len(told) == len({trace.span_id for trace in traces})
    assert {trace.trace_id for trace in traces[::3]} == {TRACE}
    assert len({trace.trace_id for trace in traces}) == 1 + 2 * len(REQUESTS)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["trace_id"] for line in lines] == [trace.trace_id for trace in traces]


class Exported:
    """Keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def export(self, span: Span, /) -> None:
        """Keep a span."""
        self.spans.append(span)


def test_a_span_says_what_took_how_long_and_whether_it_failed() -> None:
    exported, clock = Exported(), TestClock(0)
    tracer = Tracer(exported, clock)
    with tracer.span("outer", trace_id=TRACE), pytest.raises(KeyError), tracer.span("inner", commits=2):
        raise KeyError
    assert exported.spans == [
        Span("inner", 2, 3, failed=True, attributes={"commits": 2}),
        Span("outer", 1, 4, failed=False, attributes={"trace_id": TRACE}),
    ]


def _daemon() -> socket.socket:
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.bind(("127.0.0.1", 0))
    daemon.settimeout(5)
    return daemon


def test_a_sampled_span_reaches_the_daemon_as_a_subsegment_of_the_invocation() -> None:
    with _daemon() as daemon:
        environ = {
            "TRACING": "XRAY",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
            "_X_AMZN_TRACE_ID": "Root=1-581cf771-a006649127e371903a2de979;Parent=70de5b6f19ff9a0a;Sampled=0;Self=x",
        }
        exporter = exporter_of(environ)
        assert isinstance(exporter, XRayExporter)
        span = Span("commit", 1_500, 2_250, failed=True, attributes={"trace_id": TRACE})
        exporter.export(span._replace(name="not sampled"))
        environ["_X_AMZN_TRACE_ID"] = environ["_X_AMZN_TRACE_ID"].replace("Sampled=0", "Sampled=1")
        exporter.export(span)
        header, document = daemon.recv(65_536).split(b"\n")
        assert json.loads(header) == {"format": "json", "version": 1}
        segment = json.loads(document)
        assert re.fullmatch("[0-9a-f]{16}", segment.pop("id"))
        assert segment == {
            "type": "subsegment",
            "name": "commit",
            "trace_id": "1-581cf771-a006649127e371903a2de979",
            "parent_id": "70de5b6f19ff9a0a",
            "start_time": 1.5,
            "end_time": 2.25,
            "annotations": {"trace_id": TRACE},
            "fault": True,
        }


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:x", "127.0.0.1:99999", "", "::1:2000"])
@pytest.mark.parametrize("trace", ["Root=1-2-3;Parent=4;Sampled=1", "Root=1-2-3;Sampled=1", "Sampled=1", "", ";;=;"])
def test_a_daemon_that_is_not_there_harms_nobody(address: str, trace: str) -> None:
    environ = {"AWS_XRAY_DAEMON_ADDRESS": address, "_X_AMZN_TRACE_ID": trace}
    tracer = Tracer(XRayExporter(environ, lambda size: b"\x01" * size), TestClock(0))
    with tracer.span("commit", trace_id=TRACE):
        done = True
    assert done


class Broken:
    """An exporter with a defect."""

    def export(self, span: Span, /) -> None:
        """Raise."""
        raise AttributeError(span.name)


def test_what_an_exporter_raises_ends_nothing_and_hides_nothing() -> None:
    tracer = Tracer(Broken(), TestClock(0))
    with tracer.span("commit"):
        done = True
    assert done
    with pytest.raises(KeyError, match="mine"), tracer.span("commit"):
        raise KeyError("mine")


@pytest.mark.parametrize("environ", [{}, {"TRACING": "NONE"}])
def test_nothing_is_exported_unless_it_is_asked_for(environ: dict[str, str]) -> None:
    assert exporter_of(environ) is None
    with tracing.span("store", trace_id=TRACE):
        logging.getLogger("spans").debug("nothing happens")

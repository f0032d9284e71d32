"""Calls of the feed's HTTP endpoint: what they look like, and that nobody waits for them for long."""

from __future__ import annotations

import hmac
import json
import logging
import threading
from collections import Counter
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st

from functions.feed.events_api import EventsApi, PublishError
from functions.feed.feed import PAUSE_MS, Feed, live_feed
from functions.market_data.telling import tell_commits
from market.feed.channels import market_channel, player_channel
from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill
from tests.feed.listening import Listener, feed_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_lambda_powertools.logging import Logger

HOST = "abc.appsync-api.eu-central-1.amazonaws.com"
COPPER = "/market/copper"


class Endpoint(ThreadingHTTPServer):
    """An HTTP endpoint on loopback that remembers calls and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.daemon_threads = True
        self.calls: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.drops = 0
        self.status, self.answer = 200, b'{"failed":[],"successful":[]}'
        self.release = threading.Event()
        self.release.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def endpoint(self) -> Endpoint:
        return cast("Endpoint", self.server)

    def setup(self) -> None:
        self.endpoint.connections += 1
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.endpoint.drops:
            self.endpoint.drops -= 1
            self.close_connection = True
            return
        self.endpoint.release.wait(10)
        self.endpoint.calls.append((self.path, dict(self.headers.items()), body))
        self.send_response(self.endpoint.status)
        self.send_header("Content-Length", str(len(self.endpoint.answer)))
        self.end_headers()
        self.wfile.write(self.endpoint.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
        """Stay silent."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()


def api_of(endpoint: Endpoint) -> EventsApi:
    session = botocore.session.Session()
    session.set_credentials("AKID", "secret", "token")  # pyright: ignore[reportUnknownMemberType]
    session.set_config_variable("region", "eu-central-1")  # pyright: ignore[reportUnknownMemberType]
    return EventsApi(session, HOST, endpoint.url, 4)


def test_calls_are_signed_for_the_real_host_and_keep_their_connection(endpoint: Endpoint) -> None:
    api = api_of(endpoint)
    api.publish(COPPER, ['{"number":1}', '{"number":2}'])
    api.publish(COPPER, ['{"number":3}'])
    (path, headers, body), _ = endpoint.calls
    assert path == "/event"
    assert json.loads(body) == {"channel": COPPER, "events": ['{"number":1}', '{"number":2}']}
    assert headers["Host"] == HOST
    assert endpoint.connections == 1

    names = headers["Authorization"].split("SignedHeaders=")[1].split(",")[0]
    assert "host" in names.split(";")
    assert headers["Authorization"] == authorization(headers, names, body)


def test_a_connection_that_was_closed_meanwhile_is_opened_again_once(endpoint: Endpoint) -> None:
    api = api_of(endpoint)
    endpoint.drops = 1
    api.publish(COPPER, ['{"number":1}'])
    endpoint.drops = 2
    with pytest.raises(ConnectionClosedError):
        api.publish(COPPER, ['{"number":2}'])
    assert [json.loads(json.loads(body)["events"][0])["number"] for _, _, body in endpoint.calls] == [1]


def authorization(headers: Mapping[str, str], names: str, body: bytes) -> str:
    """The header AWS expects: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    by_name = {name.lower(): value for name, value in headers.items()}
    signed = "".join(f"{name}:{by_name[name]}\n" for name in names.split(";"))
    canonical = f"POST\n/event\n\n{signed}\n{names}\n{sha256(body).hexdigest()}"
    time = headers["X-Amz-Date"]
    scope = f"{time[:8]}/eu-central-1/appsync/aws4_request"
    key = b"AWS4secret"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential=AKID/{scope}, SignedHeaders={names}, Signature={signature}"


@pytest.mark.parametrize(
    ("status", "answer", "text"),
    [
        (403, b'{"errors":["no"]}', "403"),
        (200, b'{"failed":[{"identifier":"1","index":0,"code":400,"message":"too long"}]}', "1 of 1 events"),
    ],
)
def test_a_refusal_says_why(endpoint: Endpoint, status: int, answer: bytes, text: str) -> None:
    endpoint.status, endpoint.answer = status, answer
    with pytest.raises(PublishError, match=text):
        api_of(endpoint).publish(COPPER, ["{}"])


def test_a_silent_endpoint_is_not_asked_again_at_once(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    now_ms = 1000
    endpoint.release.clear()
    feed = Feed(api_of(endpoint).publish, lambda: now_ms, lambda: "one", cast("Logger", logging.getLogger("feed")))
    market = [{"material": "copper", "sequence": 1}]
    feed.publish("copper", market, {"buyer": market})  # comes back, however long the endpoint takes
    endpoint.release.set()
    feed.publish("copper", market, {})
    now_ms += PAUSE_MS
    feed.publish("copper", market, {})
    failures = [(record.__dict__["channels"], record.__dict__["FeedFailures"]) for record in caplog.records]
    assert failures == [(2, 2), (1, 1)]
    assert [json.loads(json.loads(body)["events"][0])["number"] for _, _, body in endpoint.calls][-1] == 3


@given(batches=st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 12), max_size=3), max_size=8))
def test_every_channel_has_numbers_without_a_hole(batches: list[dict[str, int]]) -> None:
    """However many messages there are, and beyond the channels whose numbers are kept: with another publisher's id."""
    listener = Listener()
    publishers = (f"publisher-{number}" for number in range(100))
    feed = Feed(listener.publish, lambda: 1000, lambda: next(publishers), cast("Logger", logging.getLogger("feed")))
    with mock.patch("functions.feed.feed._MOST_CHANNELS", 3):
        for batch in batches:
            feed.publish("copper", [], {player: [{"nth": n} for n in range(count)] for player, count in batch.items()})
    last: dict[tuple[str, str], int] = {}
    for channel, message in listener.events:
        key = (channel, message["publisher"])
        assert message["number"] == last.get(key, 0) + 1
        last[key] = message["number"]
    assert all(count <= 3 for count in Counter(publisher for _, publisher in last).values())
    expected = {player: [n for batch in batches for n in range(batch.get(player, 0))] for player in "abcd"}
    assert {player: [line["nth"] for line in listener.on(f"/players/p{player}")] for player in "abcd"} == expected


def test_a_channel_that_fails_does_not_silence_the_others(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener()

    def send(channel: str, events: Sequence[str]) -> None:
        if channel != COPPER:
            raise ConnectionError("too many requests")
        listener.publish(channel, events)

    feed = Feed(send, lambda: 1000, lambda: "one", cast("Logger", logging.getLogger("feed")))
    for _ in range(2):
        feed.publish("copper", [{}], {"ann": [{}], "bob": [{}]})
    assert [message["number"] for message in listener.on(COPPER)] == [1, 2]
    told = [(record.__dict__["channels"], record.__dict__["reason"]) for record in caplog.records]
    assert told == [(2, "ConnectionError('too many requests')")] * 2


def test_there_is_no_feed_without_a_host() -> None:
    assert live_feed(None, {}, lambda: 0, cast("Logger", None)) is None


def test_the_safety_net_tells_trades_fills_and_closings() -> None:
    listener = Listener()
    fill = TradeFill(1, "bid", "buyer", "ask", "seller", 1250, 3, Side.BUY, 2, 1)
    closed = TapeOrder("bid", "buyer", Side.BUY, 3752, Closing("CANCELED", "no_match", 5, 2))
    commits = [TapeCommit("copper", 4, 900, 900, (fill,), (closed,)), TapeCommit("copper", 5, 901, 901, ())]
    tell_commits(feed_of(listener, lambda: 1000), 2)("copper", commits)
    (told,) = listener.on(str(market_channel("copper")))
    assert (told["sequence"], [trade["price"] for trade in told["trades"]]) == (5, ["12.50"])
    assert not {"from", "asks", "bids"} & told.keys()
    (buyer,) = listener.on(str(player_channel("buyer")))
    (seller,) = listener.on(str(player_channel("seller")))
    (line,) = buyer["orders"]
    assert (line["status"], line["reason"], line["filled"], line["sequence"]) == ("CANCELED", "no_match", 3, 4)
    assert (buyer["fills"][0]["fee"], buyer["fills"][0]["role"]) == ("0.02", "TAKER")
    assert (seller["orders"], seller["fills"][0]["fee"], seller["fills"][0]["role"]) == ([], "0.01", "MAKER")

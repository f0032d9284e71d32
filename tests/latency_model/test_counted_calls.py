"""What the model says the functions wait for, against what they call."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools.logging import Logger

from cli.latency_model.way import Calls
from functions.feed.feed import Feed
from functions.matching.batch import work_batch
from functions.matching.live import Live
from functions.matching.matcher import Matcher
from tests.api.front_door import opened
from tests.matching.market_on_moto import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from tests.matching.market_on_moto import MarketOnMoto

_Out = TypeVar("_Out")


@contextmanager
def counted(client: DynamoDBClient) -> Generator[list[tuple[str, int]]]:
    """Note each call's operation, with the number of its items if it is a transaction."""
    calls: list[tuple[str, int]] = []

    def note(params: dict[str, Any], model: Any, **_more: Any) -> None:
        calls.append((model.name, len(params.get("TransactItems", ()))))

    events = client.meta.events
    events.register("provide-client-params.dynamodb", note)
    try:
        yield calls
    finally:
        events.unregister("provide-client-params.dynamodb", note)


@dataclass
class Readers:
    """Starts reads that are waited for later, and knows how many ran side by side."""

    running: int = 0
    most: int = 0

    def __call__(self, call: Callable[[], _Out], /) -> Callable[[], _Out]:
        self.running += 1
        self.most = max(self.most, self.running)

        def wait() -> _Out:
            self.running -= 1
            return call()

        return wait


class Listeners:
    """Where events go."""

    def publish(self, channel: str, events: Sequence[str], /) -> None:
        assert channel
        assert events


def park(_record: Mapping[str, Any], reason: str) -> None:
    raise AssertionError(reason)


def test_placing_a_bid_waits_for_what_the_model_counts() -> None:
    with opened() as front_door, counted(front_door.client) as calls:
        assert front_door.send("POST", "/bids", {"material": "copper", "price": "1.50", "quantity": 3}).status == 202
    expected = Calls()
    assert calls == [*[("Query", 0)] * expected.placing_queries, ("TransactWriteItems", expected.placing_items)]


def test_matching_a_bid_waits_for_what_the_model_counts(market: MarketOnMoto) -> None:
    expected = Calls()
    readers = Readers()
    matcher = Matcher(
        client=market.client,
        tables=TABLES,
        fees=market.fees,
        self_trade_prevention=market.self_trade_prevention,
        clock=market.clock,
        sleep=market.waits_s.append,
        random=lambda: 0.5,
        express_lane=True,
        live=Live(Feed(Listeners().publish, market.clock, lambda: "publisher", Logger("test")), 2, readers),
    )
    for _ in range(2):  # it trusts what it remembers of the tape when that has held once
        market.store_ask(100, 5)
        work_batch(market.records[-1:], matcher, park)
    for price_minor, fills in ((100, 1), (90, 0)):  # one trades, one rests
        market.store_bid(price_minor, 3)
        with counted(market.client) as calls:
            assert work_batch(market.records[-1:], matcher, park).fills == fills
        commit = ("TransactWriteItems", expected.matching_items)
        assert calls == [*[("Query", 0)] * sum(expected.matching_reads), commit]
    assert (readers.most,) == expected.matching_reads

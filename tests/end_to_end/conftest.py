"""One local environment for all end-to-end tests, used the way a game does: HTTP with players' tokens."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from cli.api import MarketApi, Reply, path_of
from cli.environments import Environment
from cli.funding import fund_players
from cli.players import PlayerPool
from cli.service import service_token
from cli.table_reader import TableReader
from local.environment import LocalEnvironment, RunningEnvironment, down, up
from market.invariants import check_invariants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from market.whole_tables import MarketTables

_Value = TypeVar("_Value")

PATIENCE_S = 30


def eventually(read: Callable[[], _Value], accepts: Callable[[_Value], bool], patience_s: float = PATIENCE_S) -> _Value:
    """Read until the value is as expected; the market is asynchronous, and these machines are slow at times."""
    deadline = time.monotonic() + patience_s
    while not accepts(value := read()):
        assert time.monotonic() < deadline, f"after {patience_s} s still {value!r}"
        time.sleep(0.05)
    return value


@dataclass
class Market:
    """A running market and the tokens of its players, who get goods and money when they are first needed."""

    running: RunningEnvironment
    files: LocalEnvironment
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> Environment:
        return Environment("local", self.running.outputs, self.running.client, self.running.feed_url)

    def token(self, player: str) -> str:
        if player not in self.tokens:
            self.tokens[player] = PlayerPool(self.environment).mint_token(player)
            fund_players(
                [self.player_id(player)],
                api_url=self.environment.api_url,
                token=self.service_token(),
                materials=self.environment.materials,
                tick_minor=1,
                currency_digits=self.environment.currency_digits,
                day=uuid.uuid4().hex,
                clients=1,
            )
        return self.tokens[player]

    def player_id(self, player: str) -> str:
        return PlayerPool(self.environment).player_id(player)

    def service_token(self) -> str:
        return service_token(self.environment)

    def post(self, player: str, path: str, body: dict[str, Any]) -> Reply:
        with MarketApi(self.environment.api_url) as api:
            return api.post(path, self.token(player), body)

    def patch(self, player: str, path: str, body: dict[str, Any]) -> Reply:
        with MarketApi(self.environment.api_url) as api:
            return api.patch(path, self.token(player), body)

    def delete(self, player: str, *segments: str, **query: str) -> Reply:
        with MarketApi(self.environment.api_url) as api:
            return api.delete(path_of(*segments), self.token(player), query)

    def ask_service(self, *segments: str, body: dict[str, Any] | None = None, **query: str) -> Reply:
        """Ask as the game's own service: POST with a body, GET without."""
        with MarketApi(self.environment.api_url) as api:
            if body is None:
                return api.get(path_of(*segments), self.service_token(), query)
            return api.post(path_of(*segments), self.service_token(), body)

    def get(self, player: str, *segments: str, **query: str | int) -> Reply:
        with MarketApi(self.environment.api_url) as api:
            return api.get(path_of(*segments), self.token(player), query)

    def sell(self, player: str, material: str, quantity: int, price: str) -> str:
        return self._place("/asks", player, material, quantity, price)

    def buy(self, player: str, material: str, quantity: int, price: str) -> str:
        return self._place("/bids", player, material, quantity, price)

    def _place(self, path: str, player: str, material: str, quantity: int, price: str) -> str:
        body = {"material": material, "quantity": quantity, "price": price}
        return str(self.post(player, path, body).accepted()["id"])

    def bid(self, player: str, bid_id: str) -> dict[str, Any]:
        return self.get(player, "bids", bid_id).accepted()

    def handled_bid(self, player: str, bid_id: str) -> dict[str, Any]:
        """The bid once the matcher has seen it."""
        return eventually(lambda: self.bid(player, bid_id), lambda bid: bid["status"] != "PENDING")

    def put_order_record(self, material: str, data: bytes) -> None:
        """Put a record on the order stream, past the tables."""
        self.running.client("kinesis").put_record(
            StreamName=self.running.outputs["orders_stream_name"], PartitionKey=material, Data=data
        )

    def replay_orders(self) -> int:
        """Put everything on the order stream once more, oldest first; returns how many records that is."""
        kinesis = self.running.client("kinesis")
        stream = self.running.outputs["orders_stream_name"]
        records: list[dict[str, Any]] = []
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while (page := kinesis.get_records(ShardIterator=iterator, Limit=10_000))["Records"]:
                records += [{"Data": row["Data"], "PartitionKey": row["PartitionKey"]} for row in page["Records"]]
                iterator = page["NextShardIterator"]
        for start in range(0, len(records), 500):
            kinesis.put_records(StreamName=stream, Records=records[start : start + 500])
        return len(records)

    def tables(self) -> MarketTables:
        return TableReader(self.environment).read()

    def settled_tables(self) -> MarketTables:
        """All tables once everything is matched, settled and told; then every invariant holds, of the accounts too."""
        reader = TableReader(self.environment)
        tables, _ = eventually(
            lambda: (reader.read(), reader.read_accounts()),
            lambda read: check_invariants(read[0], quiet=True, accounts=read[1]).holds,
        )
        return tables


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("local")
    running = up("local", folder=folder)
    yield Market(running, LocalEnvironment("local", folder=folder))
    down("local", folder=folder)

"""One local environment for all end-to-end tests, used the way a game does: HTTP with players' tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from cli.api import MarketApi, Reply, path_of
from cli.environments import Environment
from cli.players import PlayerPool
from cli.table_reader import TableReader
from local.environment import LocalEnvironment, RunningEnvironment, down, up
from market.invariants import check_invariants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from market.tables import MarketTables

_Value = TypeVar("_Value")

PATIENCE_S = 30


def eventually(read: Callable[[], _Value], accepts: Callable[[_Value], bool]) -> _Value:
    """Read until the value is as expected; the market is asynchronous, and these machines are slow at times."""
    deadline = time.monotonic() + PATIENCE_S
    while not accepts(value := read()):
        assert time.monotonic() < deadline, f"after {PATIENCE_S} s still {value!r}"
        time.sleep(0.05)
    return value


@dataclass
class Market:
    """A running market and the tokens of its players, minted when first needed."""

    running: RunningEnvironment
    files: LocalEnvironment
    tokens: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def environment(self) -> Environment:
        return Environment("local", self.running.outputs, self.running.client)

    def token(self, player: str) -> str:
        if player not in self.tokens:
            self.tokens[player] = PlayerPool(self.environment).mint_token(player)
        return self.tokens[player]

    def post(self, player: str, path: str, body: dict[str, Any]) -> Reply:
        with MarketApi(self.environment.api_url) as api:
            return api.post(path, self.token(player), body)

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

    def tables(self) -> MarketTables:
        return TableReader(self.environment).read()

    def settled_tables(self) -> MarketTables:
        """All tables once every order has reached the matcher; then every invariant holds."""
        return eventually(self.tables, lambda tables: check_invariants(tables, quiet=True).holds)


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("local")
    running = up("local", folder=folder)
    yield Market(running, LocalEnvironment("local", folder=folder))
    down("local", folder=folder)

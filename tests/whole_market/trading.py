"""What players, clients and schedules do, in one word each, and what answers the clients have had."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

from botocore.exceptions import BotoCoreError, ClientError
from moto import mock_aws

from functions.api import order_marks
from functions.api.timestamps import iso_utc
from functions.matching.batch import work_batch
from functions.settling import steps as settling_steps
from market.accounts.changes import settlement_slices
from market.matching.rules import SelfTradePrevention
from patterns.periodic_aggregator.errors import BucketsFailedError
from tests.faults import Crash
from tests.matching.market_on_moto import transactions_of
from tests.settlement.world import LEASE_MS
from tests.whole_market.streams import PIPED
from tests.whole_market.world import MATERIALS, WholeMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from market.tape import TapeCommit
    from tests.audit.market import Reply

Step = tuple[Any, ...]
"""A verb, see the methods of `Trading` for those there are, and what it is about."""

PLAYERS = ("ann", "bob", "cy")
A_MINUTE_MS = 60_000
_CLIENTS = frozenset({"deposit", "withdraw", "place", "cancel", "cancel all", "change"})


@dataclass
class Asked:
    """A request of a client, and all answers it has had, by those who lost an answer and asked again."""

    player: str
    method: str
    path: str
    body: dict[str, Any] | None
    replies: list[Reply] = field(default_factory=list["Reply"])

    @property
    def is_answered(self) -> bool:
        """Whether the client knows what became of it."""
        return bool(self.replies)

    @property
    def name(self) -> object:
        """What its client calls it, so that it can ask again; None if nothing like that is part of the request."""
        return next(
            (self.body[key] for key in ("client_order_id", "reference") if self.body and key in self.body), None
        )

    @property
    def is_done(self) -> bool:
        """Whether the client has read that it is done."""
        return any(reply.status < 300 for reply in self.replies)


class Trading:
    """Does steps; a crash ends one, and the next one finds what it left."""

    def __init__(self, market: WholeMarket) -> None:
        self.market = market
        self.asked: list[Asked] = []
        self.orders: list[tuple[str, str, str]] = []
        """Player, side and id of orders, as the clients were told."""

    def step(self, step: Step, trouble: Mapping[int, str | Step] | None = None) -> int:
        """Do a step, with trouble at some calls to DynamoDB: a fault, or another step before it. Returns all calls."""
        plan = {
            number: fault if isinstance(fault, str) else partial(self._beside, fault)
            for number, fault in (trouble or {}).items()
        }
        with self.market.trouble(plan) as client, suppress(Crash, ClientError, BotoCoreError, BucketsFailedError):
            self._do(step)
        return client.calls.total()

    def again(self, step: Step) -> None:
        """Do what follows a step that crashed: its client asks again, its source delivers again, or its lease ends."""
        if step[0] in _CLIENTS:
            self.step(("repeat", -1))
        else:
            self.step(("sweep",) if step[0] == "settle" else step)

    def _beside(self, step: Step) -> None:
        with self.market.trouble({}):
            self._do(step)

    def _do(self, step: Step) -> None:
        verb, *arguments = step
        getattr(self, verb.replace(" ", "_"))(*arguments)

    # Clients

    def deposit(self, player: str, asset: str, amount: int) -> None:
        self._transfer("deposits", player, asset, amount)

    def withdraw(self, player: str, asset: str, amount: int) -> None:
        self._transfer("withdrawals", player, asset, amount)

    def place(self, player: str, side: str, quantity: int, price: str, *terms: str) -> None:
        kind, material = (*terms, "copper")[:2]
        body: dict[str, Any] = {
            "material": material,
            "quantity": quantity,
            "client_order_id": f"order-{len(self.asked)}",
        }
        if kind == "market":
            body["type"] = "market"
        else:
            body["price"] = price
        if kind in ("IOC", "FOK"):
            body["time_in_force"] = kind
        if kind == "GTD":
            body |= {"time_in_force": "GTD", "expires_at": iso_utc(self.market.clock() + A_MINUTE_MS)}
        if kind == "post only":
            body["post_only"] = True
        self._ask(Asked(player, "POST", f"/{side}", body))

    def cancel(self, which: int) -> None:
        if self.orders:
            player, side, order_id = self.orders[which % len(self.orders)]
            self._ask(Asked(player, "DELETE", f"/{side}/{order_id}", None))

    def cancel_all(self, player: str, side: str) -> None:
        self._ask(Asked(player, "DELETE", f"/{side}", None))

    def change(self, which: int, quantity: int | None, price: str | None) -> None:
        if self.orders and (quantity or price):
            player, side, order_id = self.orders[which % len(self.orders)]
            body = {name: value for name, value in (("quantity", quantity), ("price", price)) if value}
            self._ask(Asked(player, "PATCH", f"/{side}/{order_id}", body))

    def repeat(self, which: int) -> None:
        """A client asks again: it has had no answer, or it has."""
        if self.asked:
            self._send(self.asked[which % len(self.asked)])

    def _transfer(self, kind: str, player: str, asset: str, amount: int) -> None:
        body = {
            "asset": asset,
            "amount": f"{amount}.00" if asset == "money" else amount,
            "reference": f"transfer-{len(self.asked)}",
        }
        self._ask(Asked("the game", "POST", f"/accounts/{player}/{kind}", body))

    def _ask(self, asked: Asked) -> None:
        self.asked.append(asked)
        self._send(asked)

    def _send(self, asked: Asked) -> None:
        reply = self.market.send(asked.method, asked.path, asked.body, player=asked.player)
        if reply.status >= 500:
            return
        asked.replies.append(reply)
        side = asked.path.split("/")[1]
        order_id = reply.body.get("id") if reply.status < 300 else None
        if side in ("asks", "bids") and order_id:
            order = (asked.player, side, str(order_id))
            if order not in self.orders:
                self.orders.append(order)

    # The matcher

    def match(self, first: str = "asks", most: int = 99, behind: int = 0, again: int = 0, copies: int = 1) -> None:
        """Pipes flow, `first` first; the matcher gets all but the last `behind` records, and `again` old ones."""
        market, stream = self.market, self.market.stream
        tables = sorted(PIPED, key=lambda table: table != first)
        stream.flow(tables, most, market.clock(), copies)
        end = max(len(stream.records) - behind, stream.place)
        records = stream.records[max(stream.place - again, 0) : end]
        if not records:
            return
        failed = work_batch(records, market.matcher, _parked).failed
        if failed:
            stream.place = max(min(stream.place, int(min(failed)) - 1), 0)
        else:
            stream.place = max(stream.place, end)

    def expire(self) -> None:
        self.market.expire()

    def wait(self, ms: int) -> None:
        self.market.clock.now_ms += ms

    # Settlement

    def submit(self, newest: int = 99, order: str = "forwards") -> None:
        """The tape's stream brings commits to settlement: the newest ones only, or backwards, or all again."""
        commits = self.commits()[-newest:]
        with self.market.settling_time():
            self.market.settling.submit(reversed(commits) if order == "backwards" else commits)

    def settle(self) -> None:
        with self.market.settling_time():
            self.market.settling.work()

    def sweep(self) -> None:
        """The schedule of settlement fires, after all leases."""
        with self.market.settling_time():
            self.market.settling.sweep(LEASE_MS)

    def notify(self) -> None:
        with self.market.settling_time():
            self.market.settling.notify()

    # Candles

    def collect(self, newest: int = 99) -> None:
        self.market.collect(reversed(self.commits()[-newest:]))

    def close_minutes(self) -> None:
        self.market.close_minutes()

    # All of it

    def commits(self) -> list[TapeCommit]:
        """Commits that settlement has to know of."""
        return [commit for commit in self.market.commits() if commit.orders]

    def finish(self) -> None:
        """No more trouble: clients repeat what was not answered, everything is delivered and everybody called."""
        waiting = deque(asked for asked in self.asked if not asked.is_answered)
        for asked in waiting:
            self._send(asked)
            assert asked.is_answered, asked
        for _ in range(3):
            self.wait(A_MINUTE_MS)
            self.expire()
            while not self.market.stream.is_empty:
                self.match()
        self.market.redrive()
        with self.market.settling_time():
            self.market.settling.finish(self.commits())
        self.collect()
        for _ in range(3):
            self.wait(2 * A_MINUTE_MS)
            self.close_minutes()
        self.market.record()


def _parked(record: Mapping[str, Any], reason: str) -> None:
    raise AssertionError((record, reason))


@contextmanager
def opened(
    most_items: int = 100,
    most_accounts: int = 48,
    prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_TAKER,
    build: Callable[[SelfTradePrevention], WholeMarket] = WholeMarket,
) -> Generator[Trading]:
    """Open a market whose players have something.

    Parameters
    ----------
    most_items, most_accounts
        Items of a commit, and accounts of a slice of its settlement: few make one order's trades many transactions.
    prevention
        What the matcher does about trades of a player with themselves.
    build
        Makes the market.
    """
    slices = partial(settlement_slices, most_accounts=most_accounts)
    with (
        mock_aws(),
        transactions_of(most_items),
        mock.patch.object(settling_steps, "settlement_slices", slices),
        mock.patch.object(order_marks, "_AT_A_TIME", 1),  # calls have the same numbers every time
    ):
        trading = Trading(build(prevention))
        for player in PLAYERS:
            trading.step(("deposit", player, "money", 400))
            for material in MATERIALS:
                trading.step(("deposit", player, material, 20))
        yield trading

"""Random interleavings of everything that can happen to orders, with crashes, replays and late turns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from market.fees import Fees, hold_minor, replacing_hold_minor
from market.matching.rules import SelfTradePrevention
from market.side import Side
from market.tables import Bid, SellOrder
from tests.lifecycle.naive_market import Deal, NaiveMarket, Order
from tests.lifecycle.stored_market import StoredMarket

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.matching.turns import Turn

HIGHEST_PRICE_MINOR = 999_999_999_999
BATCH_MS = 10  # between two batches

KINDS = st.sampled_from(["GTC"] * 5 + ["IOC", "FOK", "GTD", "MARKET", "MARKET", "post-only"])
PLACE = st.tuples(
    st.just("place"),
    st.sampled_from(Side),
    KINDS,
    st.integers(98, 102),  # price
    st.integers(1, 12),  # quantity
    st.sampled_from("abcd"),  # player
    st.integers(-5, 35),  # life of a GTD order, from now
    st.sampled_from([0, 30, 200]),  # rate a bid is placed with
    st.integers(0, 1500),  # budget of a market bid
)
NUMBER = st.integers(0, 40)  # of an order, counted back
CHANGE = st.one_of(
    st.tuples(st.just("cancel"), NUMBER),
    st.tuples(st.just("reduce"), NUMBER, st.integers(1, 8)),
    st.tuples(st.just("replace"), NUMBER, st.integers(98, 102), st.integers(1, 15), st.booleans()),
    st.tuples(st.just("expire"), NUMBER),
    st.tuples(st.just("repeat"), NUMBER),
)
BATCH = st.tuples(st.lists(st.one_of(PLACE, PLACE, CHANGE), min_size=3, max_size=16), st.none() | st.integers(0, 6))


@dataclass(frozen=True)
class Case:
    batches: list[tuple[list[tuple[object, ...]], int | None]]
    fees: Fees
    prevention: SelfTradePrevention
    most_items: int
    page: int


CASES = st.builds(
    Case,
    st.lists(BATCH, min_size=2, max_size=6),
    st.sampled_from([Fees(0, 0), Fees(10, 20), Fees(90, 150)]),
    st.sampled_from(SelfTradePrevention),
    st.sampled_from([5, 6, 9, 100]),
    st.sampled_from([1, 2, 5, 100]),
)


class BothMarkets:
    """Does everything twice, in the market under test and in the naive one."""

    def __init__(self, case: Case) -> None:
        fees, prevention = case.fees, case.prevention
        self.stored = StoredMarket(fees, prevention, case.most_items, case.page)
        self.naive = NaiveMarket(fees.maker_bps, fees.taker_bps, prevention.value, case.most_items)
        self.ids: list[tuple[Side, str]] = []
        self.now_ms = 1000
        self._turns: list[tuple[Callable[[], Turn], Callable[[], None]]] = []
        self._earlier: list[Callable[[], Turn]] = []

    def batch(self, operations: list[tuple[object, ...]], crash_after: int | None) -> None:
        for operation in operations:
            getattr(self, f"_{operation[0]}")(*operation[1:])
        self._run(crash_after)

    def close_all(self) -> None:
        """Let the time of all orders pass that have one, and cancel the others."""
        self.now_ms += 1000
        for verb in ("expire", "cancel"):
            for number in range(len(self.ids)):
                getattr(self, f"_{verb}")(number)
            self._run(None)

    def _run(self, crash_after: int | None) -> None:
        self.naive.open_batch(self.now_ms)
        for _, naive in self._turns:
            naive()
        turns = [turn for turn, _ in self._turns]
        if not self.stored.run(turns, self.now_ms, crash_after):
            assert self.stored.run(turns, self.now_ms)
        self.compare()
        commits = len(self.stored.tape)
        assert self.stored.run(turns, self.now_ms)
        for commit in self.stored.tape[commits:]:  # it may reach more orders whose time is over, nothing else
            assert not commit.fills
            assert all(order.closed and order.closed.status == "EXPIRED" for order in commit.orders)
        self._earlier += turns
        self._turns = []
        self.now_ms += BATCH_MS

    def compare(self) -> None:
        stored, naive = self.stored, self.naive
        fills = [fill for commit in stored.tape for fill in commit.fills]
        assert [
            Deal(f.bid_id, f.ask_id, f.price_minor, f.quantity, f.taker_side, f.buyer_fee_minor, f.seller_fee_minor)
            for f in fills
        ] == naive.deals
        open_rows = stored.open_rows()
        closed = {order.order_id: order for commit in stored.tape for order in commit.orders if order.closed}
        released: dict[str, int] = {}
        for commit in stored.tape:
            for order in commit.orders:
                released[order.order_id] = released.get(order.order_id, 0) + order.released
        for order in naive.orders.values():
            if order.ending == ("EXPIRED", "expired") and order.order_id in open_rows:
                continue  # nobody has reached it yet
            assert open_rows.pop(order.order_id, 0) == order.open
            closing = closed[order.order_id].closed if order.order_id in closed else None
            assert (closing and (closing.status, closing.reason)) == order.ending, order
            if closing:
                assert (closing.quantity, closing.withdrawn) == (order.quantity, order.withdrawn)
            assert released.get(order.order_id, 0) == order.released, order
            assert stored.filled(order.order_id) == order.filled
            self._compare_record(order)
        assert all(row.taking is None and not row.immediate for row in stored.standing_bids.values())
        assert not any(row.immediate for row in stored.asks.values())

    def _compare_record(self, order: Order) -> None:
        ended = order.ending[0] if order.ending else None
        reason = order.ending[1] if order.ending else None
        if order.side == "BUY":
            bid = self.stored.bids[order.order_id]
            status = ended or ("PARTIALLY_FILLED" if order.filled else "NEW")
            assert (bid.status, bid.reason, bid.filled, bid.quantity) == (status, reason, order.filled, order.quantity)
        else:
            ask = self.stored.sell_orders[order.order_id]
            assert (ask.status, ask.reason) == (None if ended == "FILLED" else ended, reason)
            assert ask.quantity == order.quantity

    def _place(  # noqa: PLR0917  # as the strategy draws them
        self,
        side: Side,
        kind: str,
        price: int,
        quantity: int,
        player: str,
        life_ms: int,
        fee_bps: int,
        budget: int,
        **replacing: object,
    ) -> None:
        order_id = f"{len(self.ids):08x}-0000-7000-8000-000000000000"
        self.ids.append((side, order_id))
        terms: dict[str, object] = {
            "material": "copper",
            "price_minor": price,
            "quantity": quantity,
            "placed_at_ms": self.now_ms,
            "order_type": "MARKET" if kind == "MARKET" else None,
            "time_in_force": {"MARKET": "IOC", "post-only": None, "GTC": None}.get(kind, kind),
            "post_only": True if kind == "post-only" else None,
            "expires_at_ms": self.now_ms + life_ms if kind == "GTD" else None,
            **replacing,
        }
        if side is Side.BUY:
            if kind == "MARKET":
                terms |= {"price_minor": HIGHEST_PRICE_MINOR, "hold": budget}
            terms.setdefault("hold", hold_minor(price, quantity, fee_bps))
            stored = Bid(buyer=player, bid_id=order_id, filled=0, status="PENDING", fee_bps=fee_bps, **terms)  # pyright: ignore[reportArgumentType]
        else:
            terms.setdefault("hold", quantity)
            if kind == "MARKET":
                terms["price_minor"] = 1
            status = None if kind in ("GTC", "GTD") and not replacing else "PENDING"
            stored = SellOrder(seller=player, ask_id=order_id, status=status, **terms)  # pyright: ignore[reportArgumentType]
        naive = Order(
            order_id,
            side.value,
            player,
            stored.price_minor,
            quantity,
            stored.hold or 0,
            time_in_force=stored.time_in_force or "GTC",
            market=kind == "MARKET",
            post_only=kind == "post-only",
            expires_at_ms=stored.expires_at_ms,
            fee_bps=fee_bps if side is Side.BUY else 0,
            replaced_filled=stored.replaced_filled or 0,
        )
        self.stored.store(stored)
        if stored.status is None:
            self.naive.store_ask(naive)
        else:
            self._add(partial(self.stored.arrival, stored), partial(self.naive.arrive, naive, stored.replaces))

    def _cancel(self, number: int) -> None:
        if found := self._order(number):
            self._add(partial(self.stored.cancel, *found), partial(self.naive.cancel, found[1]))

    def _reduce(self, number: int, quantity: int) -> None:
        if found := self._order(number):
            self._add(partial(self.stored.reduce, *found, quantity), partial(self.naive.reduce, found[1], quantity))

    def _expire(self, number: int) -> None:
        if found := self._order(number):
            self._add(partial(self.stored.expire, *found), lambda: None)

    def _replace(self, number: int, price: int, quantity: int, enough: bool) -> None:
        found = self._order(number)
        if not found:
            return
        side, order_id = found
        old = self.stored.bids[order_id] if side is Side.BUY else self.stored.sell_orders[order_id]
        filled, open_now = self.stored.filled(order_id), self.stored.open_rows().get(order_id, 0)
        if old.order_type or old.time_in_force in ("IOC", "FOK") or not open_now:
            return
        hold = max(quantity - open_now, 0)
        fee_bps = 0
        if isinstance(old, Bid):
            fee_bps = max(old.fee_bps or 0, 50)
            hold = replacing_hold_minor(
                old_price_minor=old.price_minor,
                old_bps=old.fee_bps or 0,
                old_open=open_now,
                price_minor=price,
                bps=fee_bps,
                quantity=quantity,
            )
        kind = "GTD" if old.expires_at_ms else "post-only" if old.post_only else "GTC"
        life_ms = (old.expires_at_ms or 0) - self.now_ms
        player = old.buyer if isinstance(old, Bid) else old.seller
        hold = hold if enough else hold // 2
        self._place(
            side, kind, price, quantity, player, life_ms, fee_bps, 0,
            replaces=order_id, replaced_filled=filled, hold=hold,
        )  # fmt: skip

    def _repeat(self, number: int) -> None:
        """Deliver a turn of this batch or an earlier one again."""
        turns = [turn for turn, _ in self._turns] + self._earlier
        if turns:
            # What was reduced or replaced once must not be so again: by then it is no change.
            self._turns.append((turns[-1 - number % len(turns)], lambda: None))

    def _order(self, number: int) -> tuple[Side, str] | None:
        return self.ids[-1 - number % len(self.ids)] if self.ids else None

    def _add(self, turn: Callable[[], Turn], naive: Callable[[], None]) -> None:
        self._turns.append((turn, naive))


def crowded(seed: int) -> Case:
    """Return a case of a busy market: many orders that meet, few players, sweeps that are cut."""
    random = Random(seed)

    def operation() -> tuple[object, ...]:
        number = random.randrange(25)
        match random.choices(("place", "cancel", "reduce", "replace", "expire", "repeat"), (70, 5, 6, 10, 3, 6))[0]:
            case "reduce":
                return ("reduce", number, random.randint(1, 10))
            case "replace":
                return ("replace", number, random.randint(96, 104), random.randint(1, 20), random.random() < 0.9)
            case "place":
                kinds = ("GTC", "IOC", "FOK", "GTD", "MARKET", "post-only")
                return (
                    "place",
                    random.choice(list(Side)),
                    random.choices(kinds, (50, 12, 12, 14, 8, 4))[0],
                    random.randint(96, 104),
                    random.choice((1, 2, 3, 5, 8, 30)),
                    random.choice("abcdefgh"),
                    random.randint(-5, 35),
                    random.choice((0, 30, 200)),
                    random.randint(0, 4000),
                )
            case other:
                return (other, number)

    batches = [
        ([operation() for _ in range(random.randint(2, 30))], random.choice((None, None, 0, 1, 2, 3, 5)))
        for _ in range(random.randint(3, 6))
    ]
    return Case(
        batches,
        random.choice((Fees(0, 0), Fees(10, 20), Fees(90, 150))),
        random.choice(list(SelfTradePrevention)),
        random.choice((5, 6, 7, 9, 14, 100)),
        random.choice((1, 2, 5, 100)),
    )


def run(case: Case) -> StoredMarket:
    markets = BothMarkets(case)
    for operations, crash_after in case.batches:
        markets.batch(operations, crash_after)
    markets.close_all()
    return markets.stored


def assert_equals_the_naive_market(case: Case) -> None:
    stored = run(case)
    assert not stored.open_rows()
    assert not any(stored.holds.values()), "something is still held for a closed order"


@settings(max_examples=100, derandomize=True)
@given(case=CASES)
def test_equals_the_naive_market_whatever_happens(case: Case) -> None:
    assert_equals_the_naive_market(case)


def test_equals_the_naive_market_in_crowds() -> None:
    for seed in range(250):
        try:
            assert_equals_the_naive_market(crowded(seed))
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise

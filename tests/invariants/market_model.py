"""A whole market in memory: makes the tables of valid histories, at any moment of them.

Orders are matched by the market's own code over dictionaries; accounts change by its own rules of bookkeeping. What is
under test here is only the check, which shares no code with either.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from market.accounts.bookkeeping import Account, InsufficientError, MaterialLine, postings_by_player
from market.accounts.changes import deposit, placing_ask, placing_bid, settlement_slices, withdrawal
from market.accounts.rows import AccountLine, AccountTables, JournalRow, NotificationRow, SettlementRow
from market.fees import Fees, hold_minor, replacing_hold_minor
from market.matching.rules import SelfTradePrevention
from market.side import Side
from market.tables import Bid, SellOrder
from market.whole_tables import MarketTables
from tests.lifecycle.stored_market import StoredMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from market.accounts.bookkeeping import AccountChange
    from market.matching.changes import Commit
    from market.matching.turns import Turn

MATERIALS = ("copper", "wheat")
PLAYERS = ("ann", "bob", "cem", "dee", "eve")
FEES = Fees(maker_bps=300, taker_bps=700)
MOST_ITEMS = 7
_HIGHEST_PRICE_MINOR = 999_999_999_999
_AMOUNTS = ("available_minor", "available", "held", "held_minor", "proceeds_minor")
_SETS = {"open_asks": ("opened_asks", "closed_asks"), "open_bids": ("opened_bids", "closed_bids")}


class MaterialMarket(StoredMarket):
    """A material's book and tape. It believes to be about copper."""

    def _write(self, commit: Commit, now_ms: int) -> None:
        super()._write(commit, now_ms)
        for change in commit.bids:
            if change.arrival is not None:
                bid = self.bids[change.bid_id]
                self.bids[change.bid_id] = replace(bid, sequenced_at_ms=now_ms, matched_at_ms=now_ms)
        for change in commit.sell_orders:
            if change.arrival is not None:
                order = self.sell_orders[change.ask_id]
                self.sell_orders[change.ask_id] = replace(order, sequenced_at_ms=now_ms, matched_at_ms=now_ms)


@dataclass
class MarketModel:
    """Every step is some milliseconds after the one before."""

    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_TAKER
    now_ms: int = 1_000
    orders: list[tuple[str, Side, str]] = field(default_factory=list[tuple[str, Side, str]])  # material, side, id
    stored_by_ms: dict[str, int] = field(default_factory=dict[str, int])
    journal: list[JournalRow] = field(default_factory=list[JournalRow])
    notifications: list[NotificationRow] = field(default_factory=list[NotificationRow])

    def __post_init__(self) -> None:
        self.markets = {
            material: MaterialMarket(FEES, self.self_trade_prevention, MOST_ITEMS) for material in MATERIALS
        }
        self._turns: dict[str, deque[Callable[[], Turn]]] = {material: deque() for material in MATERIALS}
        self._storing: list[tuple[int, Callable[[], None]]] = []
        self._lines: dict[tuple[str, str | None], dict[str, Any]] = {}
        self._slices: dict[str, int] = {}  # settled, by id of the commit
        self._transfers = 0
        for player in PLAYERS:
            self.deposit(player, "money", 3_000)
            for material in MATERIALS:
                self.deposit(player, material, 60)

    # What happens

    def step(self, action: tuple[Any, ...]) -> None:
        self.now_ms += 2
        due = [store for at_ms, store in self._storing if at_ms <= self.now_ms]
        self._storing = [entry for entry in self._storing if entry[0] > self.now_ms]
        for store in due:
            store()
        getattr(self, action[0])(*action[1:])

    def deposit(self, player: str, asset: str, amount: int) -> None:
        self._transfers += 1
        self._write(deposit(player, asset, amount), f"deposit#{self._transfers}")

    def withdraw(self, player: str, asset: str, amount: int) -> None:
        self._transfers += 1
        self._try(lambda: withdrawal(self._account(player), asset, amount), f"withdrawal#{self._transfers}")

    def place(self, *order: Any) -> None:
        """Side, kind, player, material, price, quantity, life of a GTD order, time a plain ask takes to be stored."""
        side, kind, player, material, price_minor, quantity, life_ms, storing_ms = order
        terms: dict[str, Any] = {}
        if kind in ("IOC", "FOK", "GTD"):
            terms["time_in_force"] = kind
        if kind == "GTD":
            terms["expires_at_ms"] = self.now_ms + life_ms
        if kind == "MARKET":
            terms |= {"order_type": "MARKET", "time_in_force": "IOC"}
            price_minor = _HIGHEST_PRICE_MINOR if side is Side.BUY else 1
        if kind == "post-only":
            terms["post_only"] = True
        if side is Side.BUY:
            self._place_bid(player, material, price_minor, quantity, **terms)
        else:
            self._place_ask(player, material, price_minor, quantity, storing_ms=storing_ms, **terms)

    def cancel(self, number: int) -> None:
        if self.orders:
            material, side, order_id = self._order(number)
            self._turns[material].append(lambda: self.markets[material].cancel(side, order_id))

    def expire(self, number: int) -> None:
        if self.orders:
            material, side, order_id = self._order(number)
            self._turns[material].append(lambda: self.markets[material].expire(side, order_id))

    def reduce(self, number: int, quantity: int) -> None:
        if self.orders:
            material, side, order_id = self._order(number)
            self._turns[material].append(lambda: self.markets[material].reduce(side, order_id, quantity))

    def replace(self, number: int, price_minor: int, quantity: int) -> None:
        if not self.orders:
            return
        material, side, order_id = self._order(number)
        market = self.markets[material]
        filled = market.filled(order_id)
        open_quantity = market.open_rows().get(order_id, 0)
        wanted = quantity - filled
        if open_quantity == 0 or wanted <= 0:
            return
        terms: dict[str, Any] = {"replaces": order_id, "replaced_filled": filled}
        if side is Side.SELL:
            player = market.sell_orders[order_id].seller
            hold = max(wanted - open_quantity, 0)
            self._place_ask(player, material, price_minor, wanted, storing_ms=0, hold=hold, **terms)
        else:
            bid = market.bids[order_id]
            hold = replacing_hold_minor(
                old_price_minor=bid.price_minor,
                old_bps=FEES.taker_bps,
                old_open=open_quantity,
                price_minor=price_minor,
                bps=FEES.taker_bps,
                quantity=wanted,
            )
            self._place_bid(bid.buyer, material, price_minor, wanted, hold=hold, **terms)

    def match(self, material: str, turns: int, crash_after: int | None) -> None:
        queue = self._turns[material]
        batch = [queue.popleft() for _ in range(min(turns, len(queue)))]
        if not self.markets[material].run(batch, self.now_ms, crash_after):
            queue.extendleft(reversed(batch))

    def settle(self, material: str, slices: int) -> None:
        """Do the next slices of the material's commits."""
        for commit in self.tables().tape:
            commit_id = f"{commit.material}-{commit.sequence}"
            if commit.material != material or not commit.orders:
                continue
            todo = settlement_slices(commit, most_accounts=3)
            while self._slices.setdefault(commit_id, 0) < len(todo) or not slices:
                if not slices:
                    return
                number = self._slices[commit_id]
                self._write(todo[number], f"settlement#{commit_id}#{number}", commit.committed_at_ms)
                self._slices[commit_id] += 1
                slices -= 1
                if self._slices[commit_id] == len(todo):
                    self._notify(commit_id)

    def come_to_rest(self) -> None:
        self.now_ms = max([self.now_ms, *(at_ms for at_ms, _ in self._storing)])
        for material in MATERIALS:
            self.step(("match", material, 10_000, None))
        for material in MATERIALS:
            self.step(("settle", material, 10_000))

    # What the tables hold

    def tables(self) -> MarketTables:
        markets = self.markets.items()
        return MarketTables(
            asks=tuple(replace(row, material=name) for name, market in markets for row in market.asks.values()),
            sell_orders=tuple(
                replace(row, material=name) for name, market in markets for row in market.sell_orders.values()
            ),
            bids=tuple(replace(row, material=name) for name, market in markets for row in market.bids.values()),
            standing_bids=tuple(
                replace(row, material=name) for name, market in markets for row in market.standing_bids.values()
            ),
            tape=tuple(replace(commit, material=name) for name, market in markets for commit in market.tape),
        )

    def accounts(self) -> AccountTables:
        return AccountTables(
            lines=tuple(
                AccountLine(
                    player=player,
                    material=material,
                    open_asks=tuple(sorted(line["open_asks"])),
                    open_bids=tuple(sorted(line["open_bids"])),
                    **{name: line[name] for name in _AMOUNTS},
                )
                for (player, material), line in self._lines.items()
            ),
            journal=tuple(self.journal),
            settlements=tuple(
                SettlementRow(transaction_id=commit_id, status="COMPLETED" if done else "RUNNING")
                for commit_id, done in self._settlements()
            ),
            notifications=tuple(self.notifications),
        )

    # How it happens

    def _order(self, number: int) -> tuple[str, Side, str]:
        return self.orders[-1 - number % len(self.orders)]

    def _next_id(self) -> str:
        return f"{len(self.orders) + len(self._storing) + 1:08x}-0000-7000-8000-{self.now_ms:012x}"

    def _place_ask(
        self,
        player: str,
        material: str,
        price_minor: int,
        quantity: int,
        *,
        storing_ms: int,
        hold: int | None = None,
        **terms: Any,
    ) -> None:
        hold = quantity if hold is None else hold
        rests_at_once = not terms or terms.get("time_in_force") == "GTD"
        order = SellOrder(
            seller=player,
            ask_id=self._next_id(),
            material="copper",
            price_minor=price_minor,
            quantity=quantity,
            placed_at_ms=self.now_ms,
            status=None if rests_at_once else "PENDING",
            hold=hold,
            **terms,
        )

        def held() -> Iterable[AccountChange]:
            available = self._account(player).available(material)
            if available < hold:
                raise InsufficientError(material, hold, available)
            return placing_ask(player, material, hold, order.ask_id)

        def store() -> None:
            if self._try(held, f"order#{order.ask_id}"):
                self.markets[material].store(order)
                self.stored_by_ms[order.ask_id] = self.now_ms
                self.orders.append((material, Side.SELL, order.ask_id))
                if not rests_at_once:
                    self._turns[material].append(lambda: self.markets[material].arrival(order))

        self._storing.append((self.now_ms + storing_ms, store))

    def _place_bid(
        self, player: str, material: str, price_minor: int, quantity: int, hold: int | None = None, **terms: Any
    ) -> None:
        if hold is None:
            hold = hold_minor(price_minor, quantity, FEES.taker_bps)
            if "order_type" in terms:
                hold = min(hold, self._account(player).available_minor)
        bid = Bid(
            buyer=player,
            bid_id=self._next_id(),
            material="copper",
            price_minor=price_minor,
            quantity=quantity,
            filled=0,
            status="PENDING",
            placed_at_ms=self.now_ms,
            hold=hold,
            fee_bps=FEES.taker_bps,
            **terms,
        )
        if self._try(lambda: placing_bid(self._account(player), material, hold, bid.bid_id), f"order#{bid.bid_id}"):
            self.markets[material].store(bid)
            self.orders.append((material, Side.BUY, bid.bid_id))
            self._turns[material].append(lambda: self.markets[material].arrival(bid))

    def _account(self, player: str) -> Account:
        lines = {
            material: MaterialLine(available=line["available"], proceeds_minor=line["proceeds_minor"])
            for (owner, material), line in self._lines.items()
            if owner == player and material is not None
        }
        return Account(player, self._lines[player, None]["available_minor"], lines)

    def _try(self, changes: Callable[[], Iterable[AccountChange]], cause: str) -> bool:
        try:
            self._write(changes(), cause)
        except InsufficientError:
            return False
        return True

    def _write(self, changes: Iterable[AccountChange], cause: str, at_ms: int | None = None) -> None:
        changes = tuple(changes)
        at_ms = self.now_ms if at_ms is None else at_ms
        for change in changes:
            line = self._lines.setdefault((change.player, change.material), _empty_line())
            for name in _AMOUNTS:
                line[name] += getattr(change, name)
                assert line[name] >= 0, change
            for name, (opened, closed) in _SETS.items():
                line[name] = (line[name] | {*getattr(change, opened)}) - {*getattr(change, closed)}
        for player, postings in postings_by_player(changes).items():
            key = f"{at_ms:013d}#{cause}"
            self.journal.append(JournalRow(player=player, entry_key=key, cause=cause, at_ms=at_ms, postings=postings))

    def _settlements(self) -> Iterable[tuple[str, bool]]:
        for commit in self.tables().tape:
            commit_id = f"{commit.material}-{commit.sequence}"
            if commit_id in self._slices:
                yield commit_id, self._slices[commit_id] == len(settlement_slices(commit, most_accounts=3))

    def _notify(self, commit_id: str) -> None:
        tape = self.tables().tape
        commit = next(each for each in tape if f"{each.material}-{each.sequence}" == commit_id)
        for order in commit.orders:
            if order.closed is None:
                continue
            sums: Counter[str] = Counter()
            for fill in (fill for each in tape for fill in each.fills if order.order_id in (fill.bid_id, fill.ask_id)):
                sums["filled"] += fill.quantity
                sums["value_minor"] += fill.price_minor * fill.quantity
                sums["fee_minor"] += fill.buyer_fee_minor if order.side is Side.BUY else fill.seller_fee_minor
            self.notifications.append(
                NotificationRow(
                    player=order.player,
                    order_id=order.order_id,
                    side=str(order.side),
                    material=commit.material,
                    status=order.closed.status,
                    reason=order.closed.reason,
                    quantity=order.closed.quantity,
                    filled=sums["filled"],
                    value_minor=sums["value_minor"],
                    fee_minor=sums["fee_minor"],
                )
            )


def _empty_line() -> dict[str, Any]:
    return dict.fromkeys(_AMOUNTS, 0) | {name: frozenset[str]() for name in _SETS}

"""What must be true of the whole market: after every step, and when all is done."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from market.accounts.bookkeeping import MONEY
from market.candles import Interval
from market.fees import Fees
from market.invariants import asset_totals, check_invariants
from tests.market_data.reference import candles
from tests.whole_market.world import MATERIALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.whole_market.trading import Step, Trading
    from tests.whole_market.world import WholeMarket

FEES = Fees(maker_bps=10, taker_bps=20)


def assert_sound(market: WholeMarket, *, quiet: bool = False) -> None:
    """Every promise about orders, trades and accounts; and there is of everything what was brought."""
    tables, accounts = market.market_tables(), market.account_tables()
    verdict = check_invariants(tables, quiet=quiet, fees=FEES, accounts=accounts)
    assert verdict.violations == ()
    for asset in asset_totals(tables, accounts):
        assert asset.total == asset.deposited, asset


def assert_every_promise(trading: Trading, days: Iterable[Iterable[tuple[Step, Any]]]) -> None:
    """Do steps, each with its trouble: sound at any time, finished at the end, and nothing comes of repeating it."""
    for step, trouble in chain.from_iterable(days):
        trading.step(step, trouble)
        assert_sound(trading.market)
    trading.finish()
    assert_finished(trading)
    assert_nothing_left_to_do(trading)


def assert_finished(trading: Trading) -> None:
    """All promises about a market in which nothing is left to do."""
    market = trading.market
    assert_sound(market, quiet=True)
    assert market.audit() == []
    for line in market.account_tables().lines:
        assert line.open_asks or not line.held, line
        assert line.open_bids or not line.held_minor, line
    _assert_candles(market)
    _assert_answers(trading)


def balances(market: WholeMarket) -> dict[str, dict[str, int]]:
    """Return what each player has to use, and what is held."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in market.account_tables().lines:
        mine, material = found[line.player], str(line.material)
        mine[MONEY] += line.available_minor + line.proceeds_minor
        mine[material] += line.available
        mine[f"{material} held"] += line.held
        mine[f"{material} money held"] += line.held_minor
    return {player: dict(+mine) for player, mine in found.items()}


def assert_nothing_left_to_do(trading: Trading) -> None:
    """Whatever comes once more, from the beginning, changes nothing."""
    market = trading.market
    before = contents(market)
    market.stream.place = 0
    trading.match()
    trading.submit()
    trading.settle()
    trading.notify()
    trading.collect()
    trading.close_minutes()
    assert contents(market) == before


def contents(market: WholeMarket) -> dict[str, list[dict[str, Any]]]:
    """Return all items that players, the matcher and settlement have left, by table."""
    tables = ("asks", "sell-orders", "bids", "standing-bids", "tape", "accounts", "journal", "settlements")
    return {table: market.items(table) for table in (*tables, "notifications", "candles")}


def _assert_candles(market: WholeMarket) -> None:
    for material in MATERIALS:
        commits = [commit for commit in market.commits() if commit.material == material]
        for interval in Interval:
            query = {"interval": interval.value, "limit": "500"}
            reply = market.send("GET", f"/materials/{material}/candles", query=query)
            found = [{name: value for name, value in one.items() if name != "closed"} for one in reply.body["candles"]]
            assert found == candles(commits, interval.value)


def _assert_answers(trading: Trading) -> None:
    """What a client was told was done once, however often it asked; what it was told was refused never was."""
    market = trading.market
    done: Counter[object] = Counter()
    for table, id_attribute in (("bids", "bid_id"), ("sell-orders", "ask_id")):
        done.update(item.get("client_order_id") for item in market.items(table) if id_attribute in item)
    for entry in market.account_tables().journal:
        kind, _, reference = entry.cause.partition("#")
        done[reference] += kind in ("deposit", "withdrawal")
    for asked in trading.asked:
        if asked.name is not None:
            assert done[asked.name] == asked.is_done, asked
            assert len({reply.body.get("id") for reply in asked.replies if reply.status < 300}) <= 1, asked

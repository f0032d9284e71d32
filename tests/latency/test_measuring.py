"""A whole run against a market in this process: whatever goes wrong in it, its figures are told, and what it left is
canceled."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.failures import EnvironmentUnavailableError, MarketRefusedError
from cli.feed import FeedRefusedError
from cli.latency import clients, ending, measuring
from cli.latency.figures import figures_of
from cli.latency.load import Load, plan_load
from cli.latency.measuring import INTERRUPTED, Progress, RunPlan, measure
from cli.latency.patterns import Pattern
from market.feed.channels import market_channel, player_channel
from tests.latency.market import MATERIALS, book_at, player_id_of, running_market

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.environments import Environment
    from cli.latency.samples import Run
    from tests.cli.conftest import Answer, ApiStandIn, Request
    from tests.latency.market import Market

PLAN = RunPlan(Pattern.STEADY, rate_per_s=40, minutes=0.01, players=4, watchers=2, seed=1)
MUTATIONS = 24
OPENING = len(
    plan_load(
        [], opening_gap_ms=0, players=4, materials=MATERIALS, tick_minor=5, reference_minor={}, seed=PLAN.seed
    ).opening
)
PRICES = {"asks": "617.25", "bids": "617.15"}
PLAYERS = [f"latency-{number:02}" for number in range(1, 5)]


@pytest.fixture
def market_and_environment(api: ApiStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Market, Environment]]:
    with running_market(api, monkeypatch) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is not waited for as long as people do."""
    monkeypatch.setattr(ending, "_SILENCE_S", 2.0)
    monkeypatch.setattr(ending, "_STILL_WRONG_S", 0.5)


@pytest.fixture
def market(market_and_environment: tuple[Market, Environment]) -> Market:
    return market_and_environment[0]


@pytest.fixture
def environment(market_and_environment: tuple[Market, Environment]) -> Environment:
    return market_and_environment[1]


def measured(environment: Environment, plan: RunPlan = PLAN) -> Run:
    return measure(environment, plan, Progress(lambda _step, _total: None, lambda: None))


def is_order(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith(("/asks", "/bids"))


class Orders:
    """Counts the orders of the run itself, which follow those that open the books."""

    def __init__(self) -> None:
        self.count = -OPENING

    def next(self, request: Request) -> int | None:
        """The number of this order in the run, from 1; None if it is none."""
        if not is_order(request):
            return None
        self.count += 1
        return self.count if self.count > 0 else None


def test_a_run_hears_of_everything_it_sends_and_cleans_up(market: Market, environment: Environment) -> None:
    steps: list[tuple[str, int | None]] = []
    advanced: list[None] = []
    run = measure(
        environment,
        PLAN,
        Progress(lambda step, total: steps.append((step, total)), lambda: advanced.append(None)),
    )
    figures = figures_of(run)
    assert (len(run.samples), figures.counted, figures.lost, figures.failed) == (MUTATIONS, MUTATIONS, 0, 0)
    assert (run.ended_early, run.unsent, run.troubles) == (None, 0, ())
    assert (run.detection.undetected, run.detection.gaps, run.detection.duplicates) == ((), 0, 0)
    assert run.detection.messages == MUTATIONS * 3
    assert run.watchers == ("watcher 1", "watcher 2")
    assert all(len(sample.receipts) == 3 and not sample.failed for sample in run.samples)
    assert all(sample.due_ms <= sample.sent_ms <= (sample.told_ms or 0) for sample in run.samples)
    assert {"client → gateway", "published → received", "published → last client"} <= {h.label for h in figures.hops}
    assert ("opening the books", OPENING) in steps
    assert ("sending", MUTATIONS) in steps
    assert len(advanced) == OPENING + MUTATIONS
    assert len(market.requests("POST", "/deposits")) == len(PLAYERS) * (1 + len(MATERIALS))
    canceled = {(request.token, side) for side in ("/asks", "/bids") for request in market.requests("DELETE", side)}
    assert canceled == {(f"token-of-{player_id_of(name)}", side) for name in PLAYERS for side in ("/asks", "/bids")}
    assert market.api.requests[-1].method == "DELETE"


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(("rate_per_s", "gap_ms"), [(0.1, 200), (10, 100), (500, 50)])
def test_books_open_at_a_bearable_rate(
    rate_per_s: float, gap_ms: float, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps: list[float] = []

    def plan(*arguments: Any, opening_gap_ms: float, **named: Any) -> Load:
        gaps.append(opening_gap_ms)
        return plan_load(*arguments, opening_gap_ms=0, **named)

    monkeypatch.setattr(measuring, "plan_load", plan)
    run = measured(environment, replace(PLAN, rate_per_s=rate_per_s, minutes=0.001, watchers=0))
    assert gaps == [gap_ms]
    assert figures_of(run).lost == 0


def test_a_run_fits_the_market_and_its_own_plan(
    market: Market, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    def connections(rate_per_s: float) -> int:
        rates.append(rate_per_s)
        return 4

    def answer(request: Request) -> Answer | None:
        if request.method != "GET" or "/copper/" not in request.path or any(map(is_order, market.api.requests)):
            return None
        sides = {name: [{"price": price, "quantity": 1, "orders": 1}] for name, price in PRICES.items()}
        return 200, {"material": "copper", "sequence": 0, **sides}

    market.answer = answer
    monkeypatch.setattr(measuring, "connections_for", connections)
    monkeypatch.setattr(measuring, "STARTING_UNITS", 1)
    measured(environment, replace(PLAN, pattern=Pattern.BURST, watchers=0))
    assert rates == [20, 40 * 5]
    orders = [request.body for request in market.api.requests if is_order(request) and request.body is not None]
    copper = [float(order["price"]) for order in orders if order["material"] == "copper"]
    assert min(copper) < 617.20 < max(copper)
    assert all(abs(price - 617.20) <= 40 * 0.05 + 0.001 for price in copper)
    sold: Counter[tuple[str, str]] = Counter()
    for request in market.requests("POST", "/asks"):
        assert request.body is not None
        sold[request.token, request.body["material"]] += request.body["quantity"]
    deposited = {str(request.body["amount"]) for request in market.requests("POST", "/deposits") if request.body}
    assert str(max(sold.values())) in deposited


@pytest.mark.parametrize("times", [1, 1000])
def test_a_market_too_busy_to_cancel_is_asked_again_and_costs_no_figures(
    times: int, market: Market, environment: Environment
) -> None:
    refused: list[Request] = []

    def answer(request: Request) -> Answer | None:
        if request.method != "DELETE" or len(refused) == times:
            return None
        refused.append(request)
        return 503, {"message": "some orders are not marked"}

    market.answer = answer
    run = measured(environment, replace(PLAN, players=2))
    assert figures_of(run).counted == MUTATIONS
    told = ("orders may be left in the books: refused (503): some orders are not marked",)
    assert run.troubles == (() if times == 1 else told)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_run_with_the_figures_of_what_was_sent(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        if orders.next(request) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return None

    market.answer = answer
    run = measured(environment, replace(PLAN, minutes=5))
    assert run.ended_early == INTERRUPTED
    assert 5 <= len(run.samples) < 100
    assert run.unsent == 40 * 300 - len(run.samples)
    assert figures_of(run).counted == len(run.samples)
    assert len(market.requests("DELETE", "/asks")) == 4


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_before_anything_was_sent_cancels_all_the_same(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        if is_order(request):
            orders.next(request)
            if orders.count == 3 - OPENING:
                os.kill(os.getpid(), signal.SIGINT)
        return None

    market.answer = answer
    with pytest.raises(KeyboardInterrupt):
        measured(environment)
    assert orders.count < 0
    assert len(market.requests("DELETE", "/bids")) == 4


@pytest.mark.parametrize(
    ("told", "failure", "text"),
    [
        ((503, {"message": "down"}), MarketRefusedError, r"nothing can be sent: refused \(503\): down"),
        ((200, {"page": "welcome"}), MarketRefusedError, "nothing can be sent: answered 200"),
    ],
)
def test_a_market_that_takes_nothing_is_not_measured(
    told: Answer, failure: type[Exception], text: str, market: Market, environment: Environment
) -> None:
    market.answer = lambda request: told if is_order(request) else None
    with pytest.raises(failure, match=text):
        measured(environment)
    assert market.requests("DELETE", "/asks")


def test_a_market_that_answers_no_order_is_unavailable(
    market: Market, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.api.answer = lambda request: None if is_order(request) else market.respond(request)
    with pytest.raises(EnvironmentUnavailableError, match="no request was answered"):
        measured(environment)


def test_clients_that_the_feed_refuses_measure_nothing(market: Market, environment: Environment) -> None:
    market.refuses = True
    with pytest.raises(FeedRefusedError, match="not any more"):
        measured(environment)
    assert not any(map(is_order, market.api.requests))


def test_errors_during_the_run_count_as_infinitely_late(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        number = orders.next(request)
        return (500, {"message": "internal"}) if number is not None and number > MUTATIONS // 2 else None

    market.answer = answer
    run = measured(environment)
    figures = figures_of(run)
    assert (figures.counted, figures.failed, figures.share_under_goal) == (MUTATIONS, MUTATIONS // 2, 0.5)
    assert run.detection.undetected == ()


WATCHED = market_channel("copper")
OWN = player_channel(player_id_of(PLAYERS[0]))


def lose(market: Market, channel: str | None, *, last: bool) -> None:
    """Lose a message of the run on a channel: its third, or its last and what comes after it."""
    orders, lost = Orders(), 0

    def answer(request: Request) -> Answer | None:
        orders.next(request)
        return None

    def carry(on: str, message: dict[str, Any]) -> Any:
        nonlocal lost
        if on == channel and orders.count > (MUTATIONS // 2 if last else 2) and (last or not lost):
            lost += 1
            return None
        return message

    market.answer, market.carry = answer, carry


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("channel", [WATCHED, OWN])
def test_a_lost_message_is_a_gap_that_is_noticed(channel: str | None, market: Market, environment: Environment) -> None:
    lose(market, channel, last=False)
    run = measured(environment)
    assert figures_of(run).lost == 1
    assert run.detection.undetected == ()
    assert run.detection.gaps == (2 if channel == WATCHED else 1)
    if channel == WATCHED:
        # One at first for each of two watchers and materials, one each after the gap, one each in the end.
        assert len(market.requests("GET", "/copper/book?depth=20")) >= 1 + 2 + 2


def test_a_feed_that_lags_behind_is_late_and_loses_nothing(
    market: Market, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "_SILENCE_S", 1.0)
    market.lag_s = 0.15
    figures = figures_of(measured(environment))
    assert figures.lost == 0
    assert figures.whole.max_ms > 2_000, "longer than a silent one is waited for"
    monkeypatch.setattr(ending, "_LONGEST_WAIT_S", 0.1)
    assert figures_of(measured(environment)).lost > 0, "but not without end"


@pytest.mark.usefixtures("impatient")
def test_a_snapshot_that_is_refused_is_asked_for_again(
    market: Market, environment: Environment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clients, "_REFUSED_PAUSE_S", 0.01)
    lose(market, WATCHED, last=False)
    count = market.answer
    refused: list[Request] = []

    def answer(request: Request) -> Answer | None:
        count(request)
        if request.method == "GET" and sum(map(is_order, market.api.requests)) - OPENING > 0 and len(refused) < 5:
            refused.append(request)
            return 503, {"message": "busy"}
        return None

    market.answer = answer
    run = measured(environment)
    assert len(refused) == 5
    assert (run.troubles, run.detection.undetected, run.detection.gaps) == ((), (), 2)
    gc.collect()
    assert caplog.records == [], "no failure of a task is left behind"


@pytest.mark.usefixtures("impatient")
def test_what_is_lost_at_the_end_nobody_notices_and_it_is_named(market: Market, environment: Environment) -> None:
    lose(market, OWN, last=True)
    run = measured(environment)
    assert figures_of(run).lost > 0
    (fault,) = run.detection.undetected
    assert fault.startswith("client of latency-01 never heard of ")


@pytest.mark.usefixtures("impatient")
def test_a_book_that_stays_wrong_is_named_and_one_that_others_move_is_not(
    market: Market, environment: Environment
) -> None:
    def stuck(request: Request) -> Answer | None:
        if request.method == "GET" and "/copper/" in request.path and is_over(market):
            return 200, {"material": "copper", "sequence": 10_000, "asks": [], "bids": []}
        return None

    market.answer = stuck
    assert len(measured(environment).detection.undetected) == 2

    def moving(request: Request) -> Answer | None:
        if request.method == "GET" and "/copper/" in request.path and is_over(market):
            market.sequences["copper"] += 1
            sequence = market.sequences["copper"]
            market.publish(WATCHED, {"trace_ids": [], **book_at("copper", sequence, time.time_ns() // 1_000_000)})
            return 200, {"material": "copper", "sequence": sequence + 1, "asks": [], "bids": []}
        return None

    market.api.requests.clear()
    market.answer = moving
    assert measured(environment).detection.undetected == ()


def is_over(market: Market) -> bool:
    return sum(map(is_order, market.api.requests)) == OPENING + MUTATIONS


def test_books_that_cannot_be_read_in_the_end_cost_no_figures(market: Market, environment: Environment) -> None:
    market.answer = lambda request: (503, {"message": "busy"}) if request.method == "GET" and is_over(market) else None
    run = measured(environment)
    assert figures_of(run).lost == 0
    assert run.troubles == ("clients' books were not compared with the market's: refused (503): busy",)


@pytest.mark.usefixtures("impatient")
def test_a_client_that_is_cut_off_connects_again_and_knows_what_it_may_have_missed(
    market: Market, environment: Environment
) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        if orders.next(request) == 8:
            market.cut(str(WATCHED))
        return None

    market.answer = answer
    run = measured(environment, replace(PLAN, minutes=0.05))
    assert run.troubles == ()
    assert run.detection.undetected == ()
    assert run.detection.gaps >= 4, "two watchers, two materials"
    assert len(run.samples[-1].receipts) == 3


@pytest.mark.usefixtures("impatient")
def test_a_client_that_connects_again_reads_what_was_told_meanwhile(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        if orders.next(request) == MUTATIONS:
            market.cut(str(WATCHED))
        return None

    def carry(channel: str, message: dict[str, Any]) -> Any:
        return None if orders.count == MUTATIONS and channel != OWN and "trades" in message else message

    market.answer, market.carry = answer, carry
    run = measured(environment)
    assert figures_of(run).lost == 1
    assert run.detection.undetected == ()


@pytest.mark.usefixtures("impatient")
def test_a_client_that_is_refused_for_good_costs_no_figures(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        if orders.next(request) == 8:
            market.refuses = True
            market.cut(str(OWN))
        return None

    market.answer = answer
    run = measured(environment, replace(PLAN, minutes=0.05))
    (trouble,) = run.troubles
    assert trouble.startswith("client of latency-01 stopped listening: the live feed refused the connection")
    assert run.detection.undetected == ()
    assert figures_of(run).lost > 0


@pytest.mark.usefixtures("impatient")
def test_a_message_nobody_understands_costs_one_client(market: Market, environment: Environment) -> None:
    orders = Orders()

    def answer(request: Request) -> Answer | None:
        orders.next(request)
        return None

    def carry(channel: str, message: dict[str, Any]) -> Any:
        return {"what": "is this"} if channel == OWN and orders.count > 5 else message

    market.answer, market.carry = answer, carry
    run = measured(environment)
    (trouble,) = run.troubles
    assert trouble.startswith("client of latency-01 stopped listening: ")
    assert run.detection.undetected == ()

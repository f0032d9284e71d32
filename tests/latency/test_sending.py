"""The open loop: every mutation once, when it is due; a market that stalls delays what is sent, no more."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from cli.api import Reply
from cli.failures import EnvironmentUnavailableError
from cli.latency.load import PlannedMutation
from cli.latency.sending import HttpPlacing, RunClock, connections_for, send_in_open_loop
from market.tracing import parse_traceparent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cli.latency.sending import Place, Sending, Sent
    from tests.cli.conftest import ApiStandIn

GAP_MS = 20.0
PLAN = [
    PlannedMutation(number * GAP_MS, number % 2, "SELL" if number % 3 else "BUY", "copper", 1_250 + number, 1)
    for number in range(200)
]


class FakeTime:
    """Time that passes only when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 1e-9)  # less than that might not move it at all


def send_all(time: FakeTime, work: Callable[[PlannedMutation], Reply]) -> tuple[Sent, ...]:
    """Send the plan over one connection, so that the fake time has one owner."""
    sending = send(time, work)
    assert sending.end is None
    return sending.sent


def send(time: FakeTime, work: Callable[[PlannedMutation], Reply]) -> Sending:

    @contextmanager
    def connect() -> Generator[Place]:
        def place(mutation: PlannedMutation, _trace_id: str, /) -> Reply:
            return work(mutation)

        yield place

    clock = RunClock(time.monotonic, lambda _stopped, seconds: time.sleep(seconds))
    return send_in_open_loop(PLAN, connect=connect, connections=1, clock=clock)


def accepted(number: int = 0) -> Reply:
    return Reply(201, {"id": f"order-{number}"}, 1.0)


def told(message: str) -> dict[str, Any]:
    return {"error": {"code": "some", "message": message}}


def test_everything_is_sent_once_when_it_is_due() -> None:
    time = FakeTime()

    def work(_mutation: PlannedMutation) -> Reply:
        time.sleep(0.004)
        return accepted()

    sent = send_all(time, work)
    assert [one.planned for one in sent] == PLAN
    assert [one.sent_ms for one in sent] == pytest.approx([mutation.due_ms for mutation in PLAN], abs=1e-3)
    assert all(one.answered_ms == pytest.approx(one.sent_ms + 4, abs=1e-3) for one in sent)
    assert len({one.trace_id for one in sent}) == len(PLAN)


def test_a_stall_of_the_market_removes_nothing_and_moves_no_due_time() -> None:
    time = FakeTime()

    def work(mutation: PlannedMutation) -> Reply:
        time.sleep(1.0 if mutation is PLAN[50] else 0.004)
        return accepted()

    sent = send_all(time, work)
    assert [one.planned.due_ms for one in sent] == [number * GAP_MS for number in range(len(PLAN))]
    # All that was due in the second of the stall was sent after it, one right behind the other.
    waited = [one for one in sent if one.sent_ms - one.planned.due_ms > 1]
    assert len(waited) >= 1000 / GAP_MS
    assert all(later.sent_ms - earlier.sent_ms == pytest.approx(4, abs=1e-3) for earlier, later in pairwise(waited))
    answered = [one.answered_ms - one.planned.due_ms for one in sent if one.answered_ms is not None]
    assert sum(latency > 500 for latency in answered) >= 25


@pytest.mark.parametrize(
    ("reply", "order_id", "refusal", "failed"),
    [
        (accepted(7), "order-7", None, False),
        (Reply(202, {"id": "order-7"}, 1.0), "order-7", None, False),
        (Reply(409, told("no goods"), 1.0), None, "refused (409): no goods", False),
        (Reply(400, told("no tick"), 1.0), None, "refused (400): no tick", False),
        (Reply(401, told("expired"), 1.0), None, "refused (401): expired", True),
        (Reply(403, told("not yours"), 1.0), None, "refused (403): not yours", True),
        (Reply(404, {"message": "no such route"}, 1.0), None, "refused (404): no such route", True),
        (Reply(429, told("slower"), 1.0), None, "refused (429): slower", True),
        (Reply(500, told("oh"), 1.0), None, "refused (500): oh", True),
        (Reply(503, {}, 1.0), None, "refused (503): no reason given", True),
        (Reply(200, {"message": "<html>sign in to this network</html>"}, 1.0), None, "answered 200", True),
        (Reply(200, {"id": None}, 1.0), None, "answered 200", True),
        (Reply(302, {}, 1.0), None, "refused (302)", True),
        (None, None, None, True),
    ],
)
def test_orders_refusals_and_failures_are_kept_apart_and_stop_nothing(
    reply: Reply | None, order_id: str | None, refusal: str | None, failed: bool
) -> None:
    def work(mutation: PlannedMutation) -> Reply:
        if mutation is not PLAN[3]:
            return accepted()
        if reply is None:
            raise EnvironmentUnavailableError("no answer")
        return reply

    sent = send_all(FakeTime(), work)
    assert len(sent) == len(PLAN)
    assert {one.order_id for one in sent if one is not sent[3]} == {"order-0"}
    assert (sent[3].order_id, sent[3].failed) == (order_id, failed)
    assert (sent[3].refusal or "").startswith(refusal or "")
    assert (sent[3].refusal is None) == (refusal is None)
    assert (sent[3].answered_ms is None) == (reply is None)


@pytest.mark.parametrize(
    ("answer_s", "unanswered", "dead_s", "ends"),
    [(0.0, 40, 2.0, True), (0.0, 40, 0.1, False), (1.0, 40, 0.1, False), (0.0, 8, 5.0, False)],
    ids=["dead", "hiccup", "late hiccup", "few"],
)
def test_a_market_that_answers_nothing_for_long_ends_the_run_and_a_hiccup_does_not(
    answer_s: float, unanswered: int, dead_s: float, ends: bool
) -> None:
    time = FakeTime()

    def work(mutation: PlannedMutation) -> Reply:
        if PLAN.index(mutation) < 50:
            time.sleep(answer_s)
            return accepted()
        if PLAN.index(mutation) < 50 + unanswered:
            time.sleep(dead_s)
            raise EnvironmentUnavailableError("no answer from http://nowhere")
        return accepted()

    sending = send(time, work)
    assert (sending.end is not None) == ends
    if ends:
        assert "nowhere" in str(sending.end)
        assert 50 + 10 <= len(sending.sent) < 90
        assert time.now_s > 1_030
    else:
        assert len(sending.sent) == len(PLAN)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_ends_at_once_with_what_was_sent(api: ApiStandIn) -> None:
    api.answer = lambda _: (201, {"id": "an-id"})
    plan = [PlannedMutation(due, 0, "BUY", "copper", 1_250, 1) for due in (0.0, 0.0, 0.0, 600_000.0, 700_000.0)]
    answered = threading.Semaphore(0)

    def interrupt() -> None:
        for _ in range(3):
            assert answered.acquire(timeout=30)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    sending = send_in_open_loop(
        plan,
        connect=lambda: HttpPlacing(api.url, ["token"], 2),
        connections=2,
        clock=RunClock(),
        on_sent=answered.release,
    )
    interrupting.join()
    assert isinstance(sending.end, KeyboardInterrupt)
    assert [one.planned.due_ms for one in sending.sent] == [0, 0, 0]
    assert len(api.requests) == 3


def test_a_market_nobody_can_connect_to_ends_the_run_before_it_starts() -> None:
    with pytest.raises(EnvironmentUnavailableError):
        send_in_open_loop(
            PLAN, connect=lambda: HttpPlacing("http://127.0.0.1:1", ["token"], 2), connections=2, clock=RunClock()
        )


def test_a_slow_answer_holds_back_one_connection_only(api: ApiStandIn) -> None:
    held, others = threading.Event(), threading.Semaphore(0)

    def answer(request: Any) -> tuple[int, dict[str, Any]]:
        if request.body["price"] == "12.50":
            assert held.wait(30)
        else:
            others.release()
        return 202, {"id": request.body["client_order_id"]}

    api.answer = answer
    plan = [PlannedMutation(0.0, 0, "BUY", "copper", 1_250 + number, 1) for number in range(8)]
    sending = threading.Thread(target=lambda: sent.extend(over_http(api, plan, connections=2)))
    sent: list[Sent] = []
    sending.start()
    for _ in range(7):
        assert others.acquire(timeout=30)
    held.set()
    sending.join(30)
    assert all(one.order_id == one.trace_id for one in sent)
    assert len(sent) == 8


def over_http(api: ApiStandIn, plan: list[PlannedMutation], *, connections: int) -> tuple[Sent, ...]:
    sending = send_in_open_loop(
        plan,
        connect=lambda: HttpPlacing(api.url, ["token-0", "token-1"], 2),
        connections=connections,
        clock=RunClock(),
    )
    assert sending.end is None
    return sending.sent


def test_orders_go_over_kept_connections_under_their_trace(api: ApiStandIn) -> None:
    api.answer = lambda _: (201, {"id": "an-id"})
    plan = [PlannedMutation(0.0, n % 2, "SELL" if n % 3 else "BUY", "iron", 5, n + 1) for n in range(40)]
    sent = over_http(api, plan, connections=4)
    assert len(api.requests) == 40
    assert len({request.connection for request in api.requests}) <= 4
    by_trace = {one.trace_id: one.planned for one in sent}
    for request in api.requests:
        parent = parse_traceparent(request.headers["traceparent"])
        assert parent is not None
        planned = by_trace[parent.trace_id]
        assert request.token == f"token-{planned.player}"
        assert request.path.endswith("/asks" if planned.side == "SELL" else "/bids")
        assert request.body == {
            "material": "iron",
            "quantity": planned.quantity,
            "price": "0.05",
            "client_order_id": parent.trace_id,
        }


@pytest.mark.parametrize(("rate", "connections"), [(0.1, 4), (50, 25), (500, 64)])
def test_the_number_of_connections_is_bounded(rate: float, connections: int) -> None:
    assert connections_for(rate) == connections

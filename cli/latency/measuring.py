"""One run from start to end: players with goods and money, clients that listen, open books, the load, receipts."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cli.api import MarketApi, path_of
from cli.failures import EnvironmentUnavailableError, MarketRefusedError
from cli.feed import FeedEndpoint
from cli.funding import STARTING_UNITS, fund_players
from cli.latency.clients import Clients, Listener
from cli.latency.ending import wait_for_receipts, wrong_books_of
from cli.latency.load import plan_load
from cli.latency.patterns import due_times_ms
from cli.latency.receipts import Receipts
from cli.latency.samples import Run, Sample
from cli.latency.sending import HttpPlacing, RunClock, connections_for, send_in_open_loop
from cli.players import PlayerPool
from cli.service import service_token
from market.feed.messages import MOST_LEVELS
from market.money import parse_price

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.environments import Environment
    from cli.latency.patterns import Pattern
    from cli.latency.sending import Sent

_SIGN_INS_AT_ONCE: Final = 4
_CANCEL_ATTEMPTS: Final = 3
_CANCEL_PAUSE_S: Final = 0.5
_LEAST_OPENING_PER_S, _MOST_OPENING_PER_S = 5.0, 20.0


INTERRUPTED: Final = "interrupted"
"""Why a run ended early that a person ended."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What to measure, as the command line says it."""

    pattern: Pattern
    rate_per_s: float
    minutes: float
    players: int
    watchers: int
    seed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What to tell the person: which step begins (and of how many mutations, if any), and that one was sent."""

    begin: Callable[[str, int | None], None]
    advance: Callable[[], None]


def measure(environment: Environment, plan: RunPlan, progress: Progress) -> Run:
    """Run a load and see it arrive.

    Once orders have been sent, whatever happens costs the run's remainder and not its figures: Ctrl-C, a market that
    stops answering, a client that is cut off. The run tells. What is left in the books is canceled in every case.

    Parameters
    ----------
    environment
        With a live feed and `adminSignIn`. Its players and books are used as they are; other traffic shows in the
        figures, as it should.
    plan
        What to send.
    progress
        Told about the steps.

    Raises
    ------
    EnvironmentUnavailableError
        It has no live feed, no players of its own, or does not answer.
    MarketRefusedError
        It refused what opens the books, so there is nothing to measure.
    """
    endpoint = FeedEndpoint.of(environment)
    clock, receipts = RunClock(), Receipts()
    progress.begin("signing in", None)
    names = [f"latency-{number:02}" for number in range(1, plan.players + 1)]
    tokens, player_ids = _sign_in(environment, names)
    digits = environment.currency_digits
    tick_minor = parse_price(str(environment.output("tick_size")), digits)

    def read_book(material: str) -> Mapping[str, Any]:
        with MarketApi(environment.api_url) as api:
            return api.get(path_of("materials", material, "book"), tokens[0], {"depth": MOST_LEVELS}).accepted()

    due_ms = due_times_ms(plan.pattern, rate_per_s=plan.rate_per_s, duration_s=plan.minutes * 60)
    opening_per_s = min(max(plan.rate_per_s, _LEAST_OPENING_PER_S), _MOST_OPENING_PER_S)
    load = plan_load(
        due_ms,
        opening_gap_ms=1000 / opening_per_s,
        players=plan.players,
        materials=environment.materials,
        tick_minor=tick_minor,
        reference_minor=_reference_prices(map(read_book, environment.materials), digits),
        seed=plan.seed,
    )
    progress.begin("depositing goods and money", None)
    fund_players(
        player_ids,
        api_url=environment.api_url,
        token=service_token(environment),
        materials=environment.materials,
        tick_minor=tick_minor,
        currency_digits=digits,
        day=secrets.token_hex(4),
        clients=_SIGN_INS_AT_ONCE,
        units=max(STARTING_UNITS, load.units_needed()),
    )
    own_clients = [f"client of {name}" for name in names]
    watchers = tuple(f"watcher {number}" for number in range(1, plan.watchers + 1))
    listeners = [
        Listener(client, token, player_id, ())
        for client, token, player_id in zip(own_clients, tokens, player_ids, strict=True)
    ]
    listeners += [
        Listener(watcher, tokens[number % len(tokens)], None, environment.materials)
        for number, watcher in enumerate(watchers)
    ]

    def connect() -> HttpPlacing:
        return HttpPlacing(environment.api_url, tokens, digits)

    troubles: list[str] = []
    try:
        progress.begin("connecting", None)
        with Clients(endpoint, listeners, receipts, now_ms=clock.now_ms, read_book=read_book) as clients:
            progress.begin("opening the books", len(load.opening))
            opened = send_in_open_loop(
                load.opening,
                connect=connect,
                connections=connections_for(opening_per_s),
                clock=clock,
                on_sent=progress.advance,
            )
            if opened.end is not None:
                raise opened.end
            _require_some(opened.sent)
            wait_for_receipts(receipts, opened.sent, own_clients, watchers)
            receipts.count_anew()
            progress.begin("sending", len(load.mutations))
            started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            cpu_s, wall_s = time.process_time(), time.monotonic()
            sending = send_in_open_loop(
                load.mutations,
                connect=connect,
                connections=connections_for(plan.rate_per_s * plan.pattern.peak_factor),
                clock=clock,
                on_sent=progress.advance,
            )
            cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
            progress.begin("waiting for the last receipts", None)
            end, wrong_books = sending.end, list[str]()
            try:
                wait_for_receipts(receipts, sending.sent, own_clients, watchers)
                wrong_books = wrong_books_of(clients, troubles)
            except KeyboardInterrupt as interrupt:
                end = interrupt
        troubles += clients.failures
    finally:
        progress.begin("canceling what is left in the books", None)
        troubles += _cancel_all(environment, tokens)
    samples = tuple(_sample(one, names, own_clients, receipts) for one in sending.sent)
    return Run(
        environment=environment.name,
        started_at=started_at,
        pattern=plan.pattern,
        rate_per_s=plan.rate_per_s,
        minutes=plan.minutes,
        players=plan.players,
        seed=plan.seed,
        watchers=watchers,
        cpu_share=cpu_s / wall_s,
        samples=samples,
        detection=receipts.detection(samples, watchers, wrong_books),
        ended_early=None if end is None else str(end) or INTERRUPTED,
        unsent=len(load.mutations) - len(samples),
        troubles=tuple(troubles),
    )


def _require_some(opened: Sequence[Sent]) -> None:
    """Refuse to measure a market that takes nothing."""
    if any(sent.order_id for sent in opened):
        return
    if (refusal := next((sent.refusal for sent in opened if sent.refusal), None)) is not None:
        raise MarketRefusedError(f"nothing can be sent: {refusal}")
    raise EnvironmentUnavailableError("nothing can be sent: no request was answered")


def _cancel_all(environment: Environment, tokens: Sequence[str]) -> list[str]:
    """Leave the books to others as they were; returns why that did not work. It never fails: the figures are there."""

    def cancel(token: str) -> str | None:
        with MarketApi(environment.api_url) as api:
            try:
                for side in ("/asks", "/bids"):
                    _cancel_side(api, side, token)
            except MarketRefusedError as failure:
                return str(failure)
        return None

    try:
        with ThreadPoolExecutor(_SIGN_INS_AT_ONCE) as threads:
            failures = list(threads.map(cancel, tokens))
    except EnvironmentUnavailableError as failure:
        failures = [str(failure)]
    return [f"orders may be left in the books: {failure}" for failure in dict.fromkeys(failures) if failure is not None]


def _cancel_side(api: MarketApi, side: str, token: str) -> None:
    """Ask again while the market is busy: the run's last orders are still being matched."""
    for attempt in range(1, _CANCEL_ATTEMPTS + 1):
        reply = api.delete(side, token)
        if reply.status < 500 or attempt == _CANCEL_ATTEMPTS:
            reply.accepted()
            return
        time.sleep(_CANCEL_PAUSE_S)


def _sign_in(environment: Environment, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return each player's token and id."""
    pool = PlayerPool(environment)
    with ThreadPoolExecutor(_SIGN_INS_AT_ONCE) as threads:
        return list(threads.map(pool.mint_token, names)), list(threads.map(pool.player_id, names))


def _reference_prices(books: Sequence[Mapping[str, Any]] | map[Mapping[str, Any]], digits: int) -> dict[str, int]:
    """Return a price to trade around for each material whose book has one."""
    found: dict[str, int] = {}
    for book in books:
        best = [parse_price(str(side[0]["price"]), digits) for side in (book["asks"], book["bids"]) if side]
        if best:
            found[str(book["material"])] = sum(best) // len(best)
    return found


def _sample(sent: Sent, names: Sequence[str], own_clients: Sequence[str], receipts: Receipts) -> Sample:
    planned = sent.planned
    stamps, told_ms = receipts.stamps_of(sent.trace_id)
    return Sample(
        trace_id=sent.trace_id,
        side=planned.side,
        material=planned.material,
        player=names[planned.player],
        due_ms=planned.due_ms,
        sent_ms=sent.sent_ms,
        answered_ms=sent.answered_ms,
        order_id=sent.order_id,
        refusal=sent.refusal,
        failed=sent.failed,
        stamps=stamps,
        told_ms=told_ms,
        receipts=receipts.of(sent.trace_id, sent.order_id),
        own_client=own_clients[planned.player],
    )

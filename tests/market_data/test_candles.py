"""Candles and ticker agree with the tape, whatever the delivery, the closing and the faults."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.market_data.collecting import collect_batch
from market.candles import Interval, candle_of, cover, merged
from patterns.periodic_aggregator import BucketsFailedError
from tests.faults import Crash
from tests.market_data.reference import START_MS, WIDTHS_MS, candles, ticker, traded
from tests.market_data.world import World, stream_record

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from market.tape import TapeCommit

_MINUTE = 60_000
_DAY = 86_400_000
_trades = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 50)), max_size=3)
# Around the borders of minutes, hours and days, where windows are told apart.
_borders = st.sampled_from([0, _MINUTE, 5 * _MINUTE, 60 * _MINUTE, 16 * 60 * _MINUTE, _DAY])
_moments = st.tuples(_borders, st.integers(-130_000, 130_000)).map(sum)
_shared = settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def _tapes(draw: st.DrawFn) -> list[TapeCommit]:
    """Clocks of two matchers may differ by seconds, so times on the tape may step back a little."""
    times = sorted(draw(st.lists(_moments, min_size=1, max_size=9)))
    skews = draw(st.lists(st.sampled_from([0, 0, 3_000]), min_size=len(times), max_size=len(times)))
    return [
        traded(sequence, START_MS + time_ms - skew_ms, *draw(_trades))
        for sequence, (time_ms, skew_ms) in enumerate(zip(times, skews, strict=True), 1)
    ]


def assert_agrees(world: World, tape: list[TapeCommit], limits: list[int]) -> None:
    """Every series and the ticker, through the front door, against the whole tape."""
    for interval in WIDTHS_MS:
        assert world.candles(interval, limits) == candles(tape, interval), interval
    expected = ticker(tape, world.now_ms)
    assert {name: world.ticker()[name] for name in expected} == expected


@_shared
@given(tape=_tapes(), data=st.data())
def test_any_delivery_makes_the_candles_of_the_tape(
    dynamodb: DynamoDBClient, tape: list[TapeCommit], data: st.DataObject
) -> None:
    """Out of order, in duplicate, minutes closed in between and opened again: the clock ends long after the last."""
    world = World(dynamodb)
    deliveries = data.draw(st.permutations(tape + data.draw(st.lists(st.sampled_from(tape), max_size=4))))
    while deliveries:
        size = data.draw(st.integers(1, len(deliveries)))
        batch, deliveries = deliveries[:size], deliveries[size:]
        assert world.collect(*batch) == []
        world.now_ms += data.draw(st.sampled_from([0, 30_000, _DAY]))
        world.close()
    world.now_ms = START_MS + data.draw(st.sampled_from([_DAY + 6 * _MINUTE, 2 * _DAY, 2 * _DAY + 90_000]))
    world.close()
    assert_agrees(world, tape, data.draw(st.sampled_from([[1, 3], [500]])))


@_shared
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 55_000), st.integers(0, 3_000), _trades, st.booleans()), min_size=1, max_size=6
    ),
    start=st.sampled_from([0, 58 * _MINUTE, 16 * 60 * _MINUTE - 2 * _MINUTE]),
)
def test_at_every_moment_the_running_windows_are_complete(
    dynamodb: DynamoDBClient, steps: list[tuple[int, int, list[tuple[int, int]], bool]], start: int
) -> None:
    """As it runs: a commit is collected some seconds after it was written, the schedule fires at least each minute."""
    world = World(dynamodb, now_ms=START_MS + start)
    tape: list[TapeCommit] = []
    closed_ms = world.now_ms
    for sequence, (advance_ms, delay_ms, trades, fires) in enumerate(steps, 1):
        world.now_ms += advance_ms
        tape.append(traded(sequence, world.now_ms - delay_ms, *trades))
        world.collect(tape[-1])
        if fires or world.now_ms - closed_ms > 5_000:
            world.close()
            closed_ms = world.now_ms
        assert_agrees(world, tape, [2 if sequence % 3 == 0 else 500])


def test_closed_candles_stay_and_running_ones_say_that_they_run(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    for minute in range(8):
        world.now_ms = START_MS + minute * _MINUTE + 30_000
        world.collect(traded(minute + 1, world.now_ms, (100 + minute, 1)))
        world.close()
    shown = {
        interval: [(one["start"][11:16], one["closed"]) for one in world.get(path, interval=interval)[1]["candles"]]
        for interval, path in ((interval, "/materials/copper/candles") for interval in WIDTHS_MS)
    }
    minutes = [f"08:0{minute}" for minute in range(7, -1, -1)]
    assert shown["1m"] == [(minute, minute < "08:05") for minute in minutes]
    assert shown["5m"] == [("08:05", False), ("08:00", True)]
    assert shown["1h"] == [("08:00", False)]
    assert shown["1d"] == [("00:00", False)]


def test_a_ticker_shows_the_best_prices_that_can_be_traded(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    world.write(traded(1, START_MS, (250, 2)), traded(2, START_MS, (200, 1)))
    world.collect(traded(1, START_MS, (250, 2)), traded(2, START_MS, (200, 1)))
    gone: dict[str, Any] = {"expires_at_ms": START_MS}
    for table, key, price_minor, more in (
        ("asks", "1", 260, gone),
        ("asks", "2", 265, {"immediate": True}),
        ("asks", "3", 270, {"expires_at_ms": START_MS + 1}),
        ("standing-bids", "1", 999_999_999_999, {"immediate": True}),
        ("standing-bids", "2", 190, gone),
        ("standing-bids", "3", 180, {}),
    ):
        world.put(table, {"material": "copper", "price_key": key, "price_minor": price_minor, "remaining": 1, **more})
    assert world.ticker() == {
        "material": "copper",
        "open": "2.50",
        "high": "2.50",
        "low": "2.00",
        "last": "2.00",
        "change": "-0.50",
        "change_bps": -2000,
        "volume": 3,
        "value": "7.00",
        "trades": 2,
        "best_bid": "1.80",
        "best_ask": "2.70",
        "sequence": 2,
    }


def test_pages_stay_valid_while_the_market_moves(dynamodb: DynamoDBClient) -> None:
    """Between any two pages a minute passes, trades and closes, and one long past is corrected."""
    world = World(dynamodb)
    tape = [traded(n, START_MS + n * _MINUTE, (100 + n, n)) for n in range(1, 13)]
    world.collect(*tape)
    world.now_ms = START_MS + 14 * _MINUTE
    world.close()
    seen: list[dict[str, Any]] = []
    for number, page in enumerate(world.pages("/materials/copper/candles", "candles", [3])):
        seen += page
        world.now_ms += _MINUTE
        late = traded(100 + number, START_MS + 11 * _MINUTE, (7, 1))
        world.collect(traded(50 + number, world.now_ms, (500, 1)), late)
        world.close()
    assert [one["start"] for one in seen] == [one["start"] for one in candles(tape, "1m")]
    assert [one["volume"] for one in seen] == list(range(12, 0, -1))


def test_a_stretch_of_time_is_what_it_says(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    tape = [traded(n, START_MS + n * _MINUTE, (100 + n, n)) for n in range(10)]
    world.collect(*tape)
    world.now_ms = START_MS + 9 * _MINUTE
    world.close()

    def volumes(limits: list[int], **query: str) -> list[int]:
        return [one["volume"] for one in world.candles("1m", limits, **query)]

    for limits in ([1], [2, 3], [500]):
        assert volumes(limits, **{"from": "2026-11-21T08:03:00Z", "to": "2026-11-21T08:09:00Z"}) == [8, 7, 6, 5, 4, 3]
        assert volumes(limits, **{"from": "2026-11-21T08:07:00.001Z"}) == [9, 8]
        assert volumes(limits, to="2026-11-21T08:01:00.001Z") == [1, 0]
        assert volumes(limits, **{"from": "2026-11-22T08:00:00Z"}) == []
        assert volumes(limits, **{"from": "2026-11-21T08:05:00Z", "to": "2026-11-21T08:05:00Z"}) == []


_TROUBLES = ("crash after", "lost answer", "conflict")


@pytest.mark.parametrize("trouble", _TROUBLES)
def test_trouble_at_any_call_loses_and_doubles_nothing(dynamodb: DynamoDBClient, trouble: str) -> None:
    """Collect, close, collect late, close again: each call in turn fails, and whatever failed is done again."""
    early = [traded(1, START_MS, (100, 1), (120, 2))]
    late = [traded(2, START_MS + 100, (300, 5)), traded(3, START_MS + 3_600_000, (10, 1))]
    call = 0
    while True:
        world = World(dynamodb, plan={call: trouble})
        for batch in (early, late):
            again(world, lambda: world.collect(*batch))  # noqa: B023  # called at once
            world.now_ms += 2 * 3_600_000
            again(world, world.close)
        if world.calls.total() <= call:
            break
        for interval in ("1m", "1d"):
            assert world.candles(interval) == candles([*early, *late], interval)
        call += 1
    assert call > 20


def again(world: World, action: Any) -> None:
    """Do it until it is done, as the stream and the schedule do."""
    for _ in range(5):
        with suppress(Crash, ClientError, BotoCoreError, BucketsFailedError):
            if not action():
                return
        world.now_ms += 66_000  # a lease
    raise AssertionError("it never succeeds")


def test_two_runs_that_close_minutes_of_one_day_lose_neither(dynamodb: DynamoDBClient) -> None:
    """The second run closes the second minute between the first run's reading and its writing."""
    tape = [traded(1, START_MS, (100, 1)), traded(2, START_MS + _MINUTE, (200, 2))]
    paused: list[int] = []

    def meanwhile() -> None:
        other = World.__new__(World)
        other.client, other.now_ms = dynamodb, START_MS + _DAY
        other.close("another firing")
        paused.append(1)

    for call in range(2, 26):
        world = World(dynamodb, plan={call: meanwhile})
        world.collect(*tape)
        world.now_ms = START_MS + _DAY
        world.close()
        for interval in ("1m", "1d"):
            assert world.candles(interval) == candles(tape, interval)
    assert len(paused) > 10


def test_a_record_that_cannot_be_read_fails_alone(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    tape = [traded(1, START_MS, (100, 1)), traded(2, START_MS, (110, 1))]
    records = [stream_record(commit) for commit in tape]
    torn = stream_record(traded(3, START_MS, (120, 1)))
    torn["dynamodb"]["NewImage"]["fills"]["B"] = "AA=="
    report = collect_batch([records[0], torn, records[1]], world.minutes)
    assert list(report.errors) == ["copper-3"]
    assert world.candles("1m") == candles(tape, "1m")


def test_a_minute_costs_what_the_component_says(dynamodb: DynamoDBClient) -> None:
    """A batch: one transaction. A minute: its claim, its records, four reads of the day, one transaction."""
    world = World(dynamodb)
    world.collect(*(traded(n, START_MS + n, (100, 1)) for n in range(1, 100)))
    assert world.calls == {"transact_write_items": 1}
    world.calls.clear()
    world.now_ms += 2 * _MINUTE
    world.close()
    assert world.calls == {"query": 4 + 1 + 3, "get_item": 1, "update_item": 1, "transact_write_items": 1}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"interval": "2m"}, (400, "interval", "choice")),
        ({"interval": "1M"}, (400, "interval", "choice")),
        ({"interval": ""}, (400, "interval", "choice")),
        ({"from": "yesterday"}, (400, "from", "time")),
        ({"to": "2026-11-21T08:00:00"}, (400, "to", "time")),
        ({"from": "2026-13-21T08:00:00Z"}, (400, "from", "time")),
        ({"from": "1969-12-31T23:59:59Z"}, (400, "from", "time")),
        ({"from": "2026-11-21T08:00:00Z", "to": "2026-11-21T07:59:59.999Z"}, (400, "to", "span")),
        ({"limit": "0"}, (400, "limit", "page_size")),
        ({"limit": "501"}, (400, "limit", "page_size")),
        ({"limit": "1e2"}, (400, "limit", "page_size")),
        ({"next": "x"}, (400, "next", "page_token")),
    ],
)
def test_bad_questions_are_answered_by_name(
    dynamodb: DynamoDBClient, query: dict[str, str], error: tuple[int, str, str]
) -> None:
    status, body = World(dynamodb).get("/materials/copper/candles", **query)
    assert (status, body["error"]["field"], body["error"]["rule"]) == error


def test_a_token_belongs_to_one_listing(dynamodb: DynamoDBClient) -> None:
    world = World(dynamodb)
    world.collect(traded(1, START_MS, (100, 1)), traded(2, START_MS + _MINUTE, (100, 1)))
    world.now_ms += _MINUTE
    token = world.get("/materials/copper/candles", limit="1")[1]["next"]
    assert world.get("/materials/copper/candles", limit="2", next=token)[0] == 200
    for path, query in (
        ("/materials/wheat/candles", {}),
        ("/materials/copper/candles", {"interval": "5m"}),
        ("/materials/copper/candles", {"from": "2026-11-21T08:00:00Z"}),
    ):
        status, body = world.get(path, next=token, **query)
        assert (status, body["error"]["rule"]) == (400, "page_token")


@pytest.mark.parametrize("path", ["/materials/gold/candles", "/materials/COPPER/ticker"])
def test_a_material_that_is_not_traded_is_not_found(dynamodb: DynamoDBClient, path: str) -> None:
    status, body = World(dynamodb).get(path)
    assert (status, body["error"]["field"], body["error"]["rule"]) == (404, "material", "known_material")


_minutes = st.integers(0, 4 * 1440)


@given(_minutes, _minutes)
def test_a_stretch_is_covered_without_gaps_by_few_windows(start: int, length: int) -> None:
    start_ms, end_ms = start * _MINUTE, (start + length) * _MINUTE
    spans = cover(start_ms, end_ms)
    assert [span.start_ms for span in spans] == [start_ms, *(span.end_ms for span in spans)][: len(spans)]
    assert not spans or spans[-1].end_ms == end_ms
    windows: dict[Interval, int] = {}
    for span in spans:
        assert span.start_ms % span.interval.width_ms == span.end_ms % span.interval.width_ms == 0
        windows[span.interval] = windows.get(span.interval, 0) + (span.end_ms - span.start_ms) // span.interval.width_ms
    most = {Interval.MINUTE: 8, Interval.FIVE_MINUTES: 22, Interval.HOUR: 46, Interval.DAY: 4}
    assert all(count <= most[interval] for interval, count in windows.items())


@given(_tapes(), st.data())
def test_candles_add_up_in_any_grouping(tape: list[TapeCommit], data: st.DataObject) -> None:
    parts = [candle for commit in tape if (candle := candle_of(commit))]
    shuffled = data.draw(st.permutations(parts))
    cut = data.draw(st.integers(0, len(parts)))
    halves = [half for half in (merged(shuffled[:cut]), merged(shuffled[cut:])) if half]
    assert merged(halves) == merged(parts)

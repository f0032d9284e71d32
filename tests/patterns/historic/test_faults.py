"""Every write becomes one version, in order, however the records arrive and wherever the recorder dies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from patterns.historic import Recorder, diff, restore, sign_and_delete, verify
from tests.faults import Crash, FaultyClient
from tests.patterns.historic.world import KEYS, SIGNATURE, START_MS, Source, World, account, stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.patterns.stores import Store


def busy_source() -> Source:
    """Two items: one that is changed, deleted, and there again; one that swings between the same two images."""
    source = Source()
    source.put(account(), by="ann", balance={"N": "1"})
    source.put(account(name="swing"), on={"BOOL": True})
    source.put(account(), by="bob", balance={"N": "2"})
    source.put(account(name="swing"), on={"BOOL": False})
    source.delete(account())
    source.put(account(name="swing"), on={"BOOL": True})
    source.put(account(), by="ann", balance={"N": "1"})
    source.put(account(name="swing"), on={"BOOL": False})
    return source


def expected(store: Store, source: Source) -> list[dict[str, object]]:
    world = World(store, source)
    world.deliver()
    return stored(store, world.table)


def test_a_recorder_that_dies_at_any_call_loses_and_repeats_nothing(store: Store) -> None:
    source = busy_source()
    whole = expected(store, source)
    for trouble in ("crash before", "crash after", "lost answer", "throttle"):
        for number in count():
            world = World(store, source)
            recorder = world.recorder({number: trouble})
            try:
                report = recorder.record(source.records)
            except Crash:
                report = None
            if report is not None and not report.errors:
                assert number >= len(source.records) // 2, "every call was in some round's plan"
                break
            if report is None:
                world.deliver()
            else:  # Lambda delivers again from the lowest failed record, to the same recorder
                failed = min(map(int, report.failed))
                again = [r for r in source.records if int(r["dynamodb"]["SequenceNumber"]) >= failed]
                assert not recorder.record(again).errors
            assert stored(store, world.table) == whole, f"{trouble} {number}"


def test_batches_redelivered_from_anywhere_change_nothing(store: Store) -> None:
    source = busy_source()
    whole = expected(store, source)
    world = World(store, source)
    recorder, random = world.recorder(), Random(7)
    for end in range(1, len(source.records) + 1):
        # The batch so far, failed late and delivered again from a record in its middle.
        recorder.record(source.records[:end])
        recorder.record(source.records[random.randrange(end) : end])
        if random.random() < 0.5:
            recorder = world.recorder()  # a cold start has no heads in memory
    for _ in range(10):  # any old record may come again, in any order
        report = world.deliver(*random.sample(source.records, 5))
        assert (report.recorded, report.recovered, report.repeated) == (0, 0, 5)
    assert stored(store, world.table) == whole


def test_a_record_lost_and_found_is_recovered_at_its_place(store: Store) -> None:
    """For each record: it is given up, later ones are recorded, the history says so; then it is re-driven."""
    source = Source()
    for number in range(5):
        source.put(account(), by="ann", balance={"N": str(number)})
    for lost in range(1, 4):
        world = World(store, source)
        report = world.deliver(*source.records[:lost], *source.records[lost + 1 :])
        assert (report.recorded, report.unlinked) == (4, 1)
        proof = verify(world.history, account(), current=source.items[str(account())])
        assert [(finding.problem, finding.label) for finding in proof.gaps] == [("gap", str(lost + 1))]

        assert world.deliver(source.records[lost]).recovered == 1
        assert world.deliver(source.records[lost]).repeated == 1
        assert verify(world.history, account(), current=source.items[str(account())]).holds
        versions = world.versions(account())
        assert [(version.after or {})["balance"]["N"] for version in versions] == ["0", "1", "2", "3", "4"]
        for version in versions:
            assert world.history.as_of(account(), version.at_ms).label == version.label


def test_two_neighbours_lost_and_found_in_the_wrong_order(store: Store) -> None:
    source = Source()
    for number in range(5):
        source.put(account(), balance={"N": str(number)})
    world = World(store, source)
    first, second, third, fourth, fifth = source.records
    for record in (first, fourth, fifth, third, second):
        world.deliver(record)
    assert verify(world.history, account(), current=source.items[str(account())]).holds
    assert [(v.after or {})["balance"]["N"] for v in world.versions(account())] == ["0", "1", "2", "3", "4"]


def test_a_zombie_with_an_old_head_adds_nothing(store: Store) -> None:
    source = busy_source()
    world = World(store, source)
    zombie = world.recorder()
    zombie.record(source.records[:2])
    world.deliver()
    whole = stored(store, world.table)
    report = zombie.record(source.records[2:])
    assert (report.recorded, report.repeated) == (0, 6)
    assert stored(store, world.table) == whole


def test_recorders_at_work_on_the_same_records_at_once(store: Store) -> None:
    source = busy_source()
    whole = expected(store, source)
    world = World(store, source)
    start = threading.Barrier(4)

    def work(_number: int) -> int:
        recorder = world.recorder()
        start.wait()
        return sum(recorder.record([record]).recorded for record in source.records)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == len(source.records)
    assert stored(store, world.table) == whole


class _Throttling:
    """Refuses each insertion of one item's versions, and carries out the others of the call."""

    def __init__(self, client: Any, item: str) -> None:
        self._client, self._item = client, item

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def batch_execute_statement(self, Statements: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        refused = [self._item in str(statement["Parameters"]) for statement in Statements]
        let_through = [s for s, is_refused in zip(Statements, refused, strict=True) if not is_refused]
        answers = iter(self._client.batch_execute_statement(Statements=let_through)["Responses"] if let_through else [])
        throttled = {"Error": {"Code": "ThrottlingError", "Message": "injected"}}
        return {"Responses": [throttled if is_refused else next(answers) for is_refused in refused]}


def test_a_failing_item_holds_back_its_own_later_records_only(store: Store) -> None:
    source = busy_source()
    world = World(store, source)
    client: Any = _Throttling(store.client, "swing")
    report = Recorder(client, world.table, KEYS, SIGNATURE).record(source.records)
    (failed,) = report.failed
    assert failed == source.records[1]["dynamodb"]["SequenceNumber"]
    assert "ThrottlingError" in str(report.errors)
    assert report.recorded == 4
    assert len(world.versions(account())) == 4
    assert world.versions(account(name="swing")) == ()


def test_a_batch_of_many_items_takes_a_call_for_25_and_one_more_for_each_further_version(store: Store) -> None:
    source = Source()
    for number in range(60):
        source.put(account(name=f"item {number}"), balance={"N": "1"})
    for number in range(0, 60, 2):
        source.put(account(name=f"item {number}"), balance={"N": "2"})
    world, client = World(store, source), FaultyClient(store.client)
    with ThreadPoolExecutor(4) as pool:
        report = Recorder(cast("Any", client), world.table, KEYS, SIGNATURE).record(source.records, pool.map)
    assert (report.recorded, report.unlinked, report.errors) == (90, 0, ())
    assert client.calls == {"batch_execute_statement": 3 + 2}
    for number in range(60):
        assert [version.number for version in world.versions(account(name=f"item {number}"))] == [1, 2][
            : 2 - number % 2
        ]


def test_a_stream_that_was_switched_off_and_on_goes_on_where_it_was(store: Store) -> None:
    """Its sequence numbers may start anywhere; its label is later."""
    world = World(store)
    for number in range(3):
        world.source.put(account(), balance={"N": str(number)})
    world.deliver()
    again = Source(label="2026-11-01T00:00:00.000", items=dict(world.source.items))
    again.put(account(), balance={"N": "3"})
    world.deliver(*again.records)
    assert [version.number for version in world.versions(account())] == [1, 2, 3, 4]
    assert verify(world.history, account(), current=again.items[str(account())]).holds


@pytest.mark.parametrize("order", [(0, 3, 1, 2), (0, 3, 2, 1)])
def test_the_times_of_what_is_found_late_lie_between_those_of_its_neighbours(
    store: Store, order: Sequence[int]
) -> None:
    """The second and third writers' clocks run ahead, and behind."""
    world, key = World(store), account()
    for number, wrong_ms in enumerate((0, 50_000, -50_000, 0)):
        signature = SIGNATURE.sign("ann", "test", f"change-{number}", world.source.now_ms + wrong_ms)
        world.source.put(key, by=None, why="", **signature)
    for number in order:
        world.deliver(world.source.records[number])
    times = [version.at_ms for version in world.versions(key)]
    assert times == sorted(times)
    assert verify(world.history, key, current=world.source.items[str(key)]).holds


@pytest.mark.parametrize("step_ms", [-5_000, 0])
def test_clocks_that_run_back_do_not_turn_times_around(store: Store, step_ms: int) -> None:
    source = Source()
    for number in range(4):
        source.put(account(), balance={"N": str(number)})
        source.records[-1]["dynamodb"]["ApproximateCreationDateTime"] += number * step_ms / 1000
    world = World(store, source)
    world.deliver()
    times = [version.at_ms for version in world.versions(account())]
    assert times == sorted(times)
    assert world.history.as_of(account(), times[-1]).number == 4


def test_a_writer_whose_clock_is_wrong_does_not_date_the_versions_after_it(store: Store) -> None:
    world, key = World(store), account()
    for number, wrong_ms in enumerate((0, 10**9, -(10**9), 50_000)):
        signature = SIGNATURE.sign("ann", "test", f"change-{number}", world.source.now_ms + wrong_ms)
        world.source.put(key, by=None, why="", **signature)
    world.deliver()
    assert [version.at_ms - START_MS for version in world.versions(key)] == [0, 1000, 2000, 53_000]


class _RepeatingClient:
    """Sends each write twice and answers with the second's answer, as botocore does when the first one's was lost."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        def twice(**arguments: Any) -> Any:
            getattr(self._client, name)(**arguments)
            return getattr(self._client, name)(**arguments)

        return twice


def test_a_restoration_and_a_deletion_whose_answers_are_lost_are_done_once_and_say_so(store: Store) -> None:
    world, key = World(store), account()
    table = store.create_table("owner", "account")
    first = world.source.put(key, by="ann", balance={"N": "1"}, tags={"SS": ["b", "a"]})
    second = world.source.put(key, by="eve", balance={"N": "999"})
    world.deliver()
    store.client.put_item(TableName=table, Item=second)
    wanted, latest = world.history.version(key, 1), world.history.latest(key)
    client: Any = _RepeatingClient(store.client)
    undo = SIGNATURE.sign("admin", "undo", "undo-1", START_MS)

    restored = restore(client, table, KEYS, wanted=wanted, latest=latest, overlay=undo)
    assert not diff(restored, {**first, **undo})
    assert not diff(store.client.get_item(TableName=table, Key=key).get("Item"), restored)

    sign_and_delete(client, table, key, SIGNATURE, actor="admin", reason="GDPR", change_id="d-1", at_ms=START_MS)
    assert "Item" not in store.client.get_item(TableName=table, Key=key)


def test_a_signed_deletion_spares_what_was_written_in_between(store: Store) -> None:
    world, key = World(store), account()
    table = store.create_table("owner", "account")
    item = world.source.put(key, by="ann", balance={"N": "1"})
    store.client.put_item(TableName=table, Item=item)
    rival: Any = FaultyClient(store.client, {1: lambda: store.client.put_item(TableName=table, Item=item)})
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        sign_and_delete(rival, table, key, SIGNATURE, actor="admin", reason="GDPR", change_id="d-1", at_ms=START_MS)
    assert store.client.get_item(TableName=table, Key=key).get("Item") == item

"""Appending: numbers without gaps, batches as one, the same id once, the expected head or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from patterns.sequenced_log import (
    ContentionError,
    GapError,
    InvalidInputError,
    NewEvent,
    SequenceConflictError,
    SequencedLog,
)
from tests.faults import Crash, FaultyClient
from tests.patterns.sequenced_log.world import events, identified

if TYPE_CHECKING:
    from collections.abc import Callable

    from patterns.sequenced_log import EventLog
    from patterns.sequenced_log.events import Data
    from tests.patterns.sequenced_log.world import World
    from tests.patterns.stores import Store


def test_batches_of_any_length_are_numbered_through_and_read_from_any_position(world: World) -> None:
    log = world.log()
    assert log.head("a") == 0
    assert log.append("a", events("1")).sequences == (1,)
    assert log.append("a", events("2", "3", "4")).sequences == (2, 3, 4)
    assert world.log().append("a", events("5", "6")).sequences == (5, 6), "another appender goes on at the end"
    assert log.append("a", events("7")).sequences == (7,), "one that remembers an old end finds the new one"
    assert log.append("b", events("1")).sequences == (1,)
    assert (log.head("a"), log.head("b"), log.head("c")) == (7, 1, 0)
    for after in range(9):
        assert world.notes("a", after) == ["1", "2", "3", "4", "5", "6", "7"][after:]
    assert world.stored_numbers() == [1, 2, 3, 4, 5, 6, 7]


def test_reading_goes_on_beyond_a_page(world: World) -> None:
    log = world.log()
    for number in range(5):  # a page has 1 MB
        log.append("a", [NewEvent({"note": str(number), "padding": "x" * 300_000})])
    assert world.notes("a", 1) == ["1", "2", "3", "4"]


def test_data_comes_back_as_it_was(world: World) -> None:
    data: Data = {
        "text": "€",
        "number": 10**20,
        "bytes": b"\0\1",
        "flag": True,
        "none": None,
        "nested": [{"n": -1}, []],
    }
    world.log().append("a", [NewEvent(data, "id-1")])
    (event,) = world.log().read("a")
    assert (event.data, event.event_id, event.appended_at_ms) == (data, "id-1", world.now_ms)


def test_an_id_is_appended_once_however_late_and_in_whatever_company_it_comes_again(world: World) -> None:
    first = world.log().append("a", identified("1", "2", "3"))
    world.log().append("a", identified("4"))
    world.now_ms += 365 * 24 * 3600 * 1000
    again = world.log().append("a", identified("1", "2", "3"))
    assert (again.sequences, again.duplicates) == (first.sequences, 3)
    mixed = world.log().append("a", identified("new", "3", "newer"))
    assert (mixed.sequences, mixed.duplicates) == ((5, 3, 6), 1)
    assert world.notes() == ["1", "2", "3", "4", "new", "newer"]
    assert world.log().append("b", identified("1")).sequences == (1,), "an id belongs to its partition"


def test_an_append_id_stands_for_the_whole_append(world: World) -> None:
    first = world.log().append("a", events("1", "2"), append_id="order-7")
    world.log().append("a", events("3"))
    again = world.log().append("a", events("1", "2"), append_id="order-7")
    assert (again.sequences, again.duplicates) == (first.sequences, 2)
    assert world.notes() == ["1", "2", "3"]
    with pytest.raises(InvalidInputError, match="append_id = 'order-7': was the id of an append of 2 events, not of 1"):
        world.log().append("a", events("1"), append_id="order-7")


def test_forgotten_ids_carry_their_time_for_the_tables_ttl(world: World) -> None:
    world.log(remember_ids_ms=90_500).append("a", identified("1"))
    marker = world.item(world.events_table, {"partition": {"S": "a~event~id-1"}, "sequence": {"N": "0"}})
    assert marker is not None
    assert marker["expires_at_s"] == {"N": str(-(-(world.now_ms + 90_500) // 1000))}


def test_an_expected_head_is_exact_inside_a_batch_beyond_the_end_and_with_an_old_memory(world: World) -> None:
    log, other = world.log(), world.log()
    log.append("a", events("1", "2", "3"), expected_sequence=0)
    other.append("a", events("4"))
    for expected in (0, 1, 2, 3, 5, 99):
        for appender in (log, world.log()):
            with pytest.raises(SequenceConflictError) as conflict:
                appender.append("a", events("no"), expected_sequence=expected)
            assert (conflict.value.expected, conflict.value.head) == (expected, 4)
    assert log.append("a", identified("5"), expected_sequence=4).sequences == (5,)
    retried = world.log().append("a", identified("5"), expected_sequence=4)
    assert (retried.sequences, retried.duplicates) == ((5,), 1), "a retry is no conflict"
    assert world.notes() == ["1", "2", "3", "4", "5"]


def test_two_racing_appenders_both_get_in_and_one_that_always_loses_says_so(world: World) -> None:
    winner = world.log()
    calls = {number: lambda: winner.append("a", events("win")) for number in range(2, 20, 2)}
    loser = world.log(FaultyClient(world.client, {2: calls[2]}))  # head, register, put
    assert loser.append("a", events("1", "2")).sequences == (2, 3)
    assert winner.append("a", events("3", "4", "5")).sequences == (4, 5, 6)

    always: dict[int, str | Callable[[], object]] = {n: lambda: winner.append("a", events("win")) for n in range(99)}
    with pytest.raises(ContentionError, match="3 times in a row"):
        world.log(FaultyClient(world.client, always), attempts=3).append("a", events("never"))
    numbers = world.stored_numbers()
    assert numbers == list(range(1, len(numbers) + 1))


def test_many_threads_leave_no_gap_and_lose_nothing(world: World, store: Store) -> None:
    if store.name == "moto":
        pytest.skip("moto's tables are not made for threads")

    def append(writer: int) -> list[int]:
        log: EventLog = world.log(attempts=200)
        return [
            sequence
            for turn in range(4)
            for sequence in log.append("a", events(*[f"{writer}-{turn}-{n}" for n in range(1 + writer)])).sequences
        ]

    with ThreadPoolExecutor(4) as threads:
        returned = sorted(number for numbers in threads.map(append, range(4)) for number in numbers)
    assert returned == world.stored_numbers() == list(range(1, 4 * (1 + 2 + 3 + 4) + 1))


@pytest.mark.parametrize("identify", [events, identified])
@pytest.mark.parametrize("trouble", ["lost answer", "throttle", "conflict", "crash after", "crash before"])
def test_trouble_at_any_call_appends_once(world: World, identify: Callable[..., list[NewEvent]], trouble: str) -> None:
    """Without ids only what the call itself retries is recognised: a crash may leave the events appended or not."""
    for call in range(4):
        partition = f"{trouble}-{call}"
        log = world.log(FaultyClient(world.client, {call: trouble}))
        with suppress(Crash):
            log.append(partition, identify("1", "2"))
        written = identify is identified or "crash" not in trouble
        if identify is identified:
            world.log().append(partition, identify("1", "2"))
        assert world.notes(partition) in ([["1", "2"]] if written else [["1", "2"], []])


def test_a_lost_answer_is_recognised_although_others_have_appended_since(world: World) -> None:
    def later() -> None:
        world.log().append("a", events("other"))

    log = world.log(FaultyClient(world.client, {2: "lost answer", 3: later}))
    assert log.append("a", events("mine")).sequences == (1,)
    assert world.notes() == ["mine", "other"]


def test_a_missing_item_is_noticed_after_what_precedes_it(world: World) -> None:
    log = world.log()
    for note in ("1", "2", "3"):
        log.append("a", events(note, note))
    world.client.delete_item(TableName=world.events_table, Key={"partition": {"S": "a"}, "sequence": {"N": "3"}})
    read: list[int] = []
    with pytest.raises(GapError, match=r"events 3\.\.4 are missing") as gap:
        read.extend(event.sequence for event in log.read("a"))
    assert (gap.value.first_missing, gap.value.next_found) == (3, 5)
    with pytest.raises(GapError, match=r"events 4\.\.4 are missing"):
        list(log.read("a", 3))
    assert [event.sequence for event in log.read("a", 4)] == [5, 6]


def test_a_batch_goes_into_a_transaction_of_ones_own_and_collides_with_any_other(world: World) -> None:
    log = world.log()
    log.append("a", events("1", "2"))
    action = log.append_action("a", log.head("a") + 1, events("3", "4"))
    world.client.transact_write_items(TransactItems=[action])
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        world.client.transact_write_items(TransactItems=[action])
    assert log.append("a", events("5")).sequences == (5,)
    assert world.notes() == ["1", "2", "3", "4", "5"]
    with pytest.raises(InvalidInputError, match="sequence - 1 = -1"):
        log.append_action("a", 0, events("x"))


def test_entries_appended_in_transactions_of_ones_own_are_read_as_events(world: World) -> None:
    tape = SequencedLog(world.client, world.events_table, partition_key="partition")
    for number in (1, 2):
        world.client.transact_write_items(TransactItems=[tape.append_action("a", number, {"note": str(number)})])
    assert world.notes() == ["1", "2"]
    assert world.log().head("a") == tape.head("a") == 2


BAD_APPENDS: list[tuple[str, list[NewEvent], dict[str, Any], str]] = [
    ("", events("1"), {}, "partition = ''"),
    ("a~b", events("1"), {}, "without '~'"),
    ("p" * 257, events("1"), {}, "1..256 bytes"),
    ("a", [], {}, "events = '0 events': an append has 1..99 events"),
    ("a", events(*"x" * 100), {}, "100 events"),
    ("a", [NewEvent({"padding": "x" * 500_000})], {}, "at most 409600 bytes"),
    ("a", [*events("1"), *identified("2")], {}, "either every event of an append has an id or none has"),
    ("a", identified("1", "1"), {}, "an id occurs twice"),
    ("a", [NewEvent({}, "")], {}, "event_id = ''"),
    ("a", identified("1"), {"append_id": "x"}, "append_id = 'x'"),
    ("\ud800", events("1"), {}, "partition = '\\ud800'"),
    ("a", [NewEvent({}, "\ud800")], {}, "event_id = '\\ud800': must be text of 1..256 bytes"),
    ("a", [NewEvent({}, cast("Any", 7))], {}, "event_id = 7: must be text of 1..256 bytes"),
    ("a", events("1"), {"append_id": "x" * 257}, "append_id = 'xxx"),
    ("a", [NewEvent({"price": cast("Any", 1.5)})], {}, "events[0].data.price: float has no exact DynamoDB type"),
    ("a", [NewEvent(cast("Any", "text"))], {}, "data = 'text': must be a dict"),
    ("a", events("1"), {"expected_sequence": -1}, "expected_sequence = -1: must be a whole number of at least 0"),
    ("a", events("1"), {"expected_sequence": True}, "expected_sequence = True"),
]


@pytest.mark.parametrize(("partition", "batch", "options", "message"), BAD_APPENDS)
def test_a_bad_append_names_value_and_rule_and_writes_nothing(
    world: World, partition: str, batch: list[NewEvent], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInputError) as error:
        world.log().append(partition, batch, **options)
    assert message in str(error.value)
    assert world.client.scan(TableName=world.events_table)["Items"] == []
    assert list(world.partitions().assigned()) == []

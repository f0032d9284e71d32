"""What a user of the aggregator relies on, on every store."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from patterns.aggregator import (
    Added,
    Aggregator,
    ByCount,
    ByKinds,
    ByPredicate,
    ByTimeout,
    CompleteGroup,
    DifferentRecordError,
    DuplicatePolicy,
    Fired,
    GroupState,
    LatePolicy,
    NewRecord,
    Outcome,
    complete_groups,
)
from patterns.dynamodb.items import decode_item
from tests.patterns.aggregator.groups import Clock, aggregator_on, completion_event, new_table, numbered
from tests.patterns.small_pages import SmallPages

if TYPE_CHECKING:
    from tests.patterns.stores import Store


def state_of(aggregator: Aggregator, group_id: str) -> GroupState:
    progress = aggregator.progress(group_id)
    assert progress is not None
    return progress.state


def fired(aggregator: Aggregator, group_id: str, *, owner: str = "event-1") -> tuple[Fired, list[CompleteGroup]]:
    seen: list[CompleteGroup] = []

    def action(group: CompleteGroup) -> Outcome:
        seen.append(group)
        return Outcome({"records": sum(1 for _ in group.records())})

    return aggregator.fire(group_id, action, owner=owner), seen


def test_a_count_completes_once_and_acts_once(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store), ByCount(3))
    assert [groups.add("g", f"r{n}", {"number": n}) for n in range(5)] == [
        Added.ADDED,
        Added.ADDED,
        Added.COMPLETED,
        Added.LATE,
        Added.LATE,
    ]
    first, seen = fired(groups, "g")
    assert first is Fired.FIRED
    assert [entry.record for entry in seen[0].records()] == [{"number": n} for n in range(3)]
    assert fired(groups, "g", owner="event-2") == (Fired.ALREADY_DONE, [])
    progress = groups.progress("g")
    assert progress is not None
    assert (progress.outcome, progress.completed_by) == ({"records": 3}, "records")


@pytest.mark.parametrize("order", list(permutations(["login", "recommendations", "other"])))
def test_kinds_complete_with_the_last_missing_one_in_any_order(store: Store, order: tuple[str, ...]) -> None:
    groups = aggregator_on(store.client, new_table(store), ByKinds(frozenset({"login", "recommendations"})))
    needed = {"login", "recommendations"}
    for number, kind in enumerate(order):
        added = groups.add("g", f"r{number}", {}, kind=kind)
        before = bool(needed)
        needed.discard(kind)
        assert added is (Added.ADDED if needed else Added.COMPLETED if before else Added.LATE)


def test_a_predicate_sees_numbers_kinds_and_totals(store: Store) -> None:
    groups = aggregator_on(
        store.client, new_table(store), ByPredicate(lambda progress: progress.totals.get("points", 0) >= 100)
    )
    adds = [groups.add("g", f"r{points}", {}, amounts={"points": points}) for points in (60, 30, 10, 5)]
    assert adds == [Added.ADDED, Added.ADDED, Added.COMPLETED, Added.LATE]


def test_the_oldest_open_groups_are_completed_by_timeout(store: Store) -> None:
    clock = Clock()
    groups = aggregator_on(store.client, new_table(store), ByTimeout(), clock=clock, timeout_ms=1000)
    groups.add("old", "r1", {})
    clock.now_ms += 600
    groups.add("old", "r2", {})
    groups.add("young", "r1", {})
    clock.now_ms += 400
    assert [group.group_id for group in groups.overdue(1000)] == ["old"]
    assert groups.complete_overdue() == 1
    assert groups.complete_overdue() == 0
    assert (state_of(groups, "old"), state_of(groups, "young")) == (GroupState.COMPLETE, GroupState.OPEN)
    outcome, seen = fired(groups, "old")
    assert outcome is Fired.FIRED
    assert seen[0].progress.completed_by == "timeout"


def test_the_index_lists_a_group_until_its_outcome_is_written(store: Store) -> None:
    clock = Clock()
    groups = aggregator_on(store.client, new_table(store), clock=clock)

    def listed() -> tuple[list[str], list[str]]:
        return [group.group_id for group in groups.overdue(0)], [group.group_id for group in groups.unfired(0)]

    groups.add_all("g", numbered(1, 2))
    assert listed() == (["g"], [])
    groups.add_all("g", numbered(3))
    assert listed() == ([], ["g"])
    fired(groups, "g")
    assert listed() == ([], [])


def test_lists_go_on_over_all_pages(store: Store) -> None:
    clock, table = Clock(), new_table(store)
    groups = aggregator_on(SmallPages(store.client), table, clock=clock, timeout_ms=1000)
    names = {f"g{number}" for number in range(9)}
    for name in names:
        groups.add_all(name, numbered(1, 2))
    clock.now_ms += 1000
    assert {group.group_id for group in groups.overdue(1000)} == names
    assert [entry.record_id for entry in groups.records("g1")] == ["r1", "r2"]
    assert [groups.complete_overdue(most=5), groups.complete_overdue(most=5)] == [5, 4]
    assert {group.group_id for group in groups.unfired(0)} == names


def test_only_the_write_that_completes_shows_the_state_the_filter_lets_through(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store), late=LatePolicy.KEEP)
    states: list[str] = []

    def note() -> None:
        states.append(state_of(groups, "g"))

    for number in (1, 2, 3):
        groups.add("g", f"r{number}", {})
        note()

    def action(_group: CompleteGroup) -> None:
        note()

    groups.fire("g", action, owner="event-1")
    note()
    assert groups.add("g", "late", {}) is Added.LATE
    note()
    assert states == ["OPEN", "OPEN", "COMPLETE", "FIRING", "DONE", "DONE"]


def test_a_batch_joins_whole_and_repeats_change_nothing(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store), ByCount(150))
    batch = numbered(*range(120))
    assert set(groups.add_all("g", batch)) == {Added.ADDED}
    assert set(groups.add_all("g", batch)) == {Added.DUPLICATE}
    assert groups.add_all("g", [*numbered(119, 200, 200)]) == [Added.DUPLICATE, Added.ADDED, Added.DUPLICATE]
    assert groups.add_all("g", numbered(*range(300, 340)))[-1] is Added.COMPLETED
    progress = groups.progress("g")
    assert progress is not None
    assert progress.records == sum(1 for _ in groups.records("g")) == 161


def test_a_group_is_larger_than_an_item_can_be(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store), ByCount(30))
    page = "x" * 50_000
    added = groups.add_all("g", [NewRecord(f"r{n:02}", {"page": page}) for n in range(30)])
    assert added[-1] is Added.COMPLETED
    _, seen = fired(groups, "g")
    assert sum(len(str(entry.record["page"])) for entry in seen[0].records()) == 1_500_000


def test_late_records_are_kept_or_dropped_and_never_shown_to_the_action(store: Store) -> None:
    for policy, stored in ((LatePolicy.DROP, 3), (LatePolicy.KEEP, 4)):
        groups = aggregator_on(store.client, new_table(store), late=policy)
        groups.add_all("g", numbered(1, 2, 3))
        late = groups.add_all("g", numbered(3, 4))
        assert late == [Added.DUPLICATE, Added.LATE]
        assert len(list(groups.records("g"))) == stored
        _, seen = fired(groups, "g")
        assert len(list(seen[0].records())) == 3


def test_a_record_under_a_used_id_is_a_duplicate_or_refused(store: Store) -> None:
    table = new_table(store)
    aggregator_on(store.client, table).add("g", "r1", {"number": 1})
    assert aggregator_on(store.client, table).add("g", "r1", {"number": 2}) is Added.DUPLICATE
    strict = aggregator_on(store.client, table, duplicates=DuplicatePolicy.REFUSE_DIFFERENT)
    assert strict.add("g", "r1", {"number": 1}) is Added.DUPLICATE
    with pytest.raises(DifferentRecordError, match="an id names one record") as refused:
        strict.add("g", "r1", {"number": 2})
    assert refused.value.stored == {"number": 1}
    # Nor do two of one call go under one id.
    two = [NewRecord("r2", {"number": 1}), NewRecord("r2", {"number": 2})]
    with pytest.raises(DifferentRecordError):
        strict.add_all("g", two)
    assert [entry.record_id for entry in strict.records("g")] == ["r1"]
    assert aggregator_on(store.client, table).add_all("g", two) == [Added.ADDED, Added.DUPLICATE]


@pytest.mark.parametrize("policy", LatePolicy)
@pytest.mark.parametrize("rule", [ByCount(2), ByPredicate(lambda progress: progress.records >= 2)])
def test_a_record_of_a_complete_group_is_a_duplicate_and_not_late(
    store: Store, rule: ByCount | ByPredicate, policy: LatePolicy
) -> None:
    groups = aggregator_on(store.client, new_table(store), rule, late=policy)
    groups.add_all("g", numbered(1, 2))
    assert groups.add_all("g", numbered(2, 3, 1)) == [Added.DUPLICATE, Added.LATE, Added.DUPLICATE]


def test_what_may_be_deleted_outlives_the_groups_completion_by_the_retention(store: Store) -> None:
    clock = Clock()
    groups = aggregator_on(
        store.client, new_table(store), ByTimeout(), clock=clock, timeout_ms=60_000, retention_ms=3_600_000
    )
    groups.add("g", "r0", {})
    clock.now_ms += 1_000
    groups.add("g", "r1", {})
    clock.now_ms += 59_000
    groups.complete_overdue()
    items = [decode_item(item) for item in store.client.scan(TableName=groups.table_name)["Items"]]
    progress = groups.progress("g")
    assert progress is not None
    assert progress.completed_at_ms is not None
    retained_s = (progress.completed_at_ms + 3_600_000) // 1000
    assert {item["entry"]: item["expires_at_s"] for item in items} == {
        "record#r0": retained_s,
        "record#r1": retained_s + 1,
        "group": retained_s + 1,
    }


def test_a_stream_batch_reports_only_the_groups_that_failed(store: Store) -> None:
    groups = aggregator_on(store.client, new_table(store))
    for group_id in ("a", "b"):
        groups.add_all(group_id, numbered(1, 2, 3))
    records = [record for group_id in ("a", "b", "open") for record in completion_event(group_id, group_id)["Records"]]
    errors: dict[str, Exception] = {}

    def action(group: CompleteGroup) -> None:
        if group.group_id == "a":
            raise ConnectionError

    answer = complete_groups({"Records": records}, groups, action, errors.__setitem__)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1-a"}]}
    assert list(errors) == ["a"]
    assert (state_of(groups, "a"), state_of(groups, "b")) == (GroupState.FIRING, GroupState.DONE)


def test_two_aggregators_agree_on_one_completing_write(store: Store) -> None:
    table = new_table(store)
    one, other = aggregator_on(store.client, table, ByCount(4)), aggregator_on(store.client, table, ByCount(4))
    adds: list[Any] = [which.add("g", f"r{n}", {}) for n, which in enumerate((one, other, one, other))]
    assert adds.count(Added.COMPLETED) == 1

"""Versions leave the table after some days and are in the archive for ever, whatever happened in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from patterns.historic import (
    Archive,
    ConfigurationError,
    HistoryEnvironment,
    MissingVersionError,
    Recorder,
    Retention,
    UnknownVersionError,
    verify,
)
from tests.faults import Crash
from tests.patterns.historic.conftest import archive_on
from tests.patterns.historic.test_faults import busy_source
from tests.patterns.historic.world import (
    HOT_DAYS,
    KEYS,
    SIGNATURE,
    START_MS,
    BothClients,
    Source,
    TieredStore,
    World,
    account,
    stored,
)

if TYPE_CHECKING:
    from tests.patterns.stores import Store

KEYS_OF_BUSY = (account(), account(name="swing"))


@pytest.fixture
def tiers(store: Store) -> TieredStore:
    return TieredStore(store.name, store.client, archive_on(store), "hot")


def objects(archive: Archive) -> dict[str, bytes]:
    client: Any = archive.client
    listed = client.list_objects_v2(Bucket=archive.bucket).get("Contents", [])
    return {found["Key"]: client.get_object(Bucket=archive.bucket, Key=found["Key"])["Body"].read() for found in listed}


def whole(world: World, key: dict[str, Any]) -> list[tuple[str, Any]]:
    proof = verify(world.history, key, current=world.source.items.get(str(key)))
    assert proof.findings == ()
    versions = world.versions(key)
    assert proof.versions == len(versions)
    return [(version.label, version.after) for version in versions]


def test_an_idle_item_goes_on_where_it_was_when_all_its_versions_have_expired(tiers: TieredStore) -> None:
    """Written again, deleted, and inserted again, each after all that was before has left the table."""
    world, key = World(tiers), account()
    images = [world.source.put(key, balance={"N": "0"}), world.source.put(key, balance={"N": "1"})]
    delivered = 0
    for step in ("write", "delete", "insert", "write"):
        world.deliver(*world.source.records[delivered:])
        delivered = len(world.source.records)
        anchor = verify(world.history, key).anchor
        world.expire()
        assert stored(tiers, world.table) == []
        assert world.history.latest(key).number == delivered
        if step == "delete":
            world.source.delete(key)
        else:
            images.append(world.source.put(key, balance={"N": str(delivered)}, step={"S": step}))
        assert verify(world.history, key, anchor=anchor).holds
    world.deliver(*world.source.records[delivered:])
    assert [label for label, _ in whole(world, key)] == ["1", "2", "3", "4", "5", "6"]
    assert [after for _, after in whole(world, key) if after] == images


def test_a_version_expires_the_hot_days_after_it_was_written_and_no_sooner(tiers: TieredStore) -> None:
    world, key = World(tiers), account()
    world.source.put(key, balance={"N": "1"})
    world.deliver()
    (row,) = stored(tiers, world.table)
    assert int(row["expires_at_s"]["N"]) == START_MS // 1000 + HOT_DAYS * 86_400
    (body,) = objects(tiers.archive).values()
    assert b"expires_at_s" not in body


def test_a_recorder_that_dies_at_any_call_to_either_tier_loses_and_repeats_nothing(tiers: TieredStore) -> None:
    source = busy_source()
    reference = World(tiers, source)
    reference.deliver()
    rows, archived = stored(tiers, reference.table), objects(tiers.archive)
    for trouble in ("crash before", "crash after", "lost answer", "throttle"):
        for number in count():
            world = World(TieredStore(tiers.name, tiers.client, archive_on(tiers), "hot"), source)
            recorder = world.recorder({number: trouble})
            try:
                report = recorder.record(source.records)
            except Crash:
                report = None
            if report is not None and not report.errors:
                assert number >= len(source.records) * 3 // 2, "every call was in some round's plan"
                break
            if report is None:
                world.deliver()
            else:
                failed = min(map(int, report.failed))
                again = [r for r in source.records if int(r["dynamodb"]["SequenceNumber"]) >= failed]
                assert not recorder.record(again).errors
            assert stored(tiers, world.table) == rows, f"{trouble} {number}"
            assert world.archive is not None
            assert objects(world.archive) == archived, f"{trouble} {number}"


@pytest.mark.parametrize("trouble", ["crash after", "crash before"])
def test_a_record_given_up_between_the_tiers_is_taken_over_by_the_next(tiers: TieredStore, trouble: str) -> None:
    """Put into the archive, not into the table, and never delivered again."""
    for expired_before in (False, True):
        world, key = World(tiers, Source()), account("ann", f"{trouble} {expired_before}")
        world.source.put(key, balance={"N": "1"})
        world.deliver()
        if expired_before:
            world.expire()
        world.source.put(key, balance={"N": "2"})
        world.source.put(key, balance={"N": "3"})
        for record in world.source.records[1:]:
            record["dynamodb"]["ApproximateCreationDateTime"] = world.now_ms / 1000
        put_of_archive = 3 if expired_before else 1
        plan = {put_of_archive if trouble == "crash after" else put_of_archive + 1: trouble}
        with pytest.raises(Crash):
            world.recorder(plan).record([world.source.records[1]])
        assert len(tiers.archive.places("accounts#ann", key["account"]["S"])) == 2
        world.deliver(world.source.records[2])
        assert [label for label, _ in whole(world, key)] == ["1", "2", "3"]
        hot = [row["version_key"]["S"][-1] for row in stored(tiers, world.table)]
        assert hot == (["2", "3"] if expired_before else ["1", "2", "3"]), "by_actor finds it too"


def test_an_archive_that_cannot_be_reached_holds_records_back_and_loses_none(tiers: TieredStore) -> None:
    def unreachable() -> None:
        raise EndpointConnectionError(endpoint_url="https://s3")

    world, key = World(tiers), account()
    for balance in range(3):
        world.source.put(key, balance={"N": str(balance)})
    for _ in range(3):
        report = world.recorder(dict.fromkeys(range(1, 50), unreachable)).record(world.source.records)
        assert report.failed == (world.source.records[0]["dynamodb"]["SequenceNumber"],)
        assert (stored(tiers, world.table), objects(tiers.archive)) == ([], {})
    world.deliver()
    assert len(whole(world, key)) == 3


def test_recorders_at_work_on_the_same_records_at_once(tiers: TieredStore) -> None:
    source = busy_source()
    world = World(tiers, source)
    start = threading.Barrier(4)

    def work(_number: int) -> int:
        recorder = world.recorder()
        start.wait()
        return sum(recorder.record([record]).recorded for record in source.records)

    with ThreadPoolExecutor(4) as pool:
        # One that finds another's version in the archive only puts it into the table, and neither counts it.
        assert sum(pool.map(work, range(4))) <= len(source.records)
    assert [len(whole(world, key)) for key in KEYS_OF_BUSY] == [4, 4]
    assert len(objects(tiers.archive)) == len(stored(tiers, world.table)) == len(source.records)


def test_a_record_found_again_takes_its_place_though_its_neighbours_have_expired(tiers: TieredStore) -> None:
    source = Source()
    for number in range(5):
        source.put(account(), by="ann", balance={"N": str(number)})
    for lost in range(1, 4):
        world = World(TieredStore(tiers.name, tiers.client, archive_on(tiers), "hot"), source)
        world.deliver(*source.records[:lost], *source.records[lost + 1 :])
        world.expire()
        assert [f.problem for f in verify(world.history, account()).findings] == ["gap"]
        assert world.deliver(source.records[lost]).recovered == 1
        assert world.deliver(source.records[lost]).repeated == 1
        world.expire()
        assert [(after or {})["balance"]["N"] for _, after in whole(world, account())] == ["0", "1", "2", "3", "4"]
        backwards = world.history.versions(account(), newest_first=True).versions
        assert [v.label for v in backwards] == [v.label for v in world.versions(account())][::-1]


def test_an_old_insertion_delivered_again_brings_nothing_back(tiers: TieredStore) -> None:
    world, key = World(tiers), account()
    for balance in range(3):
        world.source.put(key, balance={"N": str(balance)})
    world.deliver()
    world.expire()
    archived = objects(tiers.archive)
    for record in world.source.records:
        report = world.deliver(record)
        assert (report.recorded, report.recovered, report.repeated) == (0, 0, 1)
    assert (stored(tiers, world.table), objects(tiers.archive)) == ([], archived)


def test_a_life_of_writes_expiry_redelivery_and_crashes(tiers: TieredStore) -> None:
    """Against a list of what was written; one life a seed."""
    for seed in range(3):
        random = Random(seed)
        world = World(TieredStore(tiers.name, tiers.client, archive_on(tiers), "hot"))
        keys = [account(name=name) for name in ("a", "b")]
        expected: dict[str, list[Any]] = {str(key): [] for key in keys}
        delivered = 0
        for step in range(30):
            key = random.choice(keys)
            if str(key) in world.source.items and random.random() < 0.2:
                world.source.delete(key)
            else:
                world.source.put(key, by="ann", balance={"N": str(step)})
            expected[str(key)].append(world.source.items.get(str(key)))
            record = world.source.records[-1]["dynamodb"]
            record["ApproximateCreationDateTime"] = (world.now_ms + step) / 1000
            if random.random() < 0.4:
                trouble = random.choice(["crash before", "crash after", "throttle", "lost answer", "none"])
                batch = world.source.records[max(0, delivered - random.randrange(4)) :]
                with suppress(Crash):
                    world.recorder({random.randrange(8): trouble}).record(batch)
                world.deliver(*batch)
                delivered = len(world.source.records)
            if delivered == len(world.source.records) and random.random() < 0.3:
                world.expire(share=random.random(), days=random.choice([3, 29, 40]))
        world.deliver(*world.source.records[delivered:])
        for key in keys:
            told = whole(world, key)
            assert [after for _, after in told] == expected[str(key)], seed
            for version in world.versions(key)[::5]:
                assert world.history.as_of(key, version.at_ms).at_ms == version.at_ms


def test_a_version_that_somebody_deleted_from_both_tiers_is_said_to_be_missing(tiers: TieredStore) -> None:
    world, key = World(tiers), account()
    for balance in range(5):
        world.source.put(key, balance={"N": str(balance)})
    world.deliver()
    world.expire()
    client: Any = tiers.archive.client
    gone = next(name for name in objects(tiers.archive) if name.endswith(f"{10**12 - 1 - 3}"))
    client.delete_object(Bucket=tiers.archive.bucket, Key=gone)
    history = world.history
    questions = (
        lambda: history.version(key, 3),
        lambda: history.versions(key),
        lambda: history.versions(key, newest_first=True),
        lambda: history.between(key, START_MS, START_MS + 10_000),
    )
    for question in questions:
        with pytest.raises(MissingVersionError, match="version 3 of accounts#ann gold is neither"):
            question()
    with pytest.raises(UnknownVersionError, match="has no version 6"):
        history.version(key, 6)
    assert [(f.label, f.problem) for f in verify(history, key).findings] == [("4", "missing")]


def test_what_is_only_in_the_table_is_found_before_it_expires(tiers: TieredStore) -> None:
    world, key = World(tiers), account()
    for balance in range(2):
        world.source.put(key, balance={"N": str(balance)})
    world.deliver()
    client: Any = tiers.archive.client
    first = max(objects(tiers.archive))
    client.delete_object(Bucket=tiers.archive.bucket, Key=first)
    assert [(f.label, f.problem) for f in verify(world.history, key).findings] == [("1", "unarchived")]


def test_a_history_gets_an_archive_later_and_fewer_days_after_that(store: Store) -> None:
    world, key = World(store), account()
    for balance in range(2):
        world.source.put(key, balance={"N": str(balance)})
    world.deliver()
    world.store = TieredStore(store.name, store.client, archive_on(store), "hot")
    for days, balance in ((90, 2), (30, 3), (30, 4)):
        world.hot_days = days
        world.source.put(key, balance={"N": str(balance)})
        world.deliver(world.source.records[-1])
    rows = stored(store, world.table)
    assert ["expires_at_s" in row for row in rows] == [False, False, True, True, True]
    assert len({row["expires_at_s"]["N"] for row in rows[2:]}) == 1, "no version goes before the one before it"
    for days in (31, 90):
        world.expire(days=days)
        assert world.history.latest(key).number == 5
        assert [label for label, _ in whole(world, key)] == ["1", "2", "3", "4", "5"]
    assert len(stored(store, world.table)) == 2, "what was there before the archive stays"
    world.source.put(key, balance={"N": "5"})
    world.deliver(world.source.records[-1])
    assert len(whole(world, key)) == 6


def test_names_that_are_no_names_of_objects(tiers: TieredStore) -> None:
    names = ["a/b", "../a", "a b", "=", "é" * 150, "x" * 399, "x" * 1000, "?", "%2F"]
    world = World(tiers)
    for name in names:
        world.source.put(account("a/n?n", name), name={"S": name})
    world.deliver()
    world.expire()
    for name in names:
        (version,) = world.versions(account("a/n?n", name))
        assert (version.after or {})["name"] == {"S": name}
    standing = world.history.collection_as_of({"S": "a/n?n"}, world.now_ms)
    assert sorted((version.after or {})["name"]["S"] for version in standing) == sorted(names)
    assert max(map(len, objects(tiers.archive))) <= 1024


@pytest.mark.parametrize("days", ["6", "36501", "", "7.5", "-1"])
def test_days_that_are_too_few_or_none_do_not_start(monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    variables = {"HISTORY_TABLE": "t", "HISTORY_SOURCE": "s", "HISTORY_HASH_KEY": "id"}
    assert HistoryEnvironment.from_environ({**variables, "HISTORY_ARCHIVE_BUCKET": "-"}).retention is None
    with pytest.raises(ConfigurationError, match=r"(?i)hot_days"):
        HistoryEnvironment.from_environ({**variables, "HISTORY_ARCHIVE_BUCKET": "abc", "HISTORY_HOT_DAYS": days})


def test_a_version_costs_one_put_a_tier_and_a_cold_or_idle_item_its_head(tiers: TieredStore) -> None:
    world, key = World(tiers), account()
    calls: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            return getattr(BothClients(tiers.client, tiers.archive.client), name)

    client: Any = Counting()
    retention = Retention(Archive(client, tiers.archive.bucket), HOT_DAYS)

    def recorder() -> Recorder:
        return Recorder(client, world.table, KEYS, SIGNATURE, retention=retention, clock=lambda: world.now_ms)

    def made(by: Recorder, number: int) -> list[str]:
        world.source.put(key, balance={"N": str(number)})
        calls.clear()
        assert by.record(world.source.records[-1:]).recorded == 1
        return list(calls)

    warm, insert = recorder(), "batch_execute_statement"
    assert made(warm, 1) == ["query", "put_object", insert], "new"
    assert made(warm, 2) == ["put_object", insert], "warm"
    assert made(recorder(), 3) == ["query", "put_object", insert], "cold"
    world.expire()
    assert made(recorder(), 4) == ["query", "list_objects_v2", "get_object", "put_object", insert], "idle"

"""Bad input is refused with the value and the rule, before anything is written."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING, Any, cast

import pytest

from patterns.aggregator import (
    Aggregator,
    AggregatorSettings,
    ByCount,
    ByKinds,
    ByPredicate,
    ByTimeout,
    InvalidCompletionError,
    InvalidKeyError,
    InvalidRecordError,
    InvalidSettingError,
    LatePolicy,
    NewRecord,
    RecordTooLargeError,
    completion,
    parse_completion,
)
from patterns.dynamodb.item_size import item_size
from patterns.dynamodb.items import Item, ItemCodecError
from tests.faults import FaultyClient
from tests.patterns.aggregator.groups import aggregator_on

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@pytest.mark.parametrize(
    ("group_id", "record", "error", "text"),
    [
        ("", NewRecord("r", {}), InvalidKeyError, "group id '': must be text of 1 to 2048 bytes"),
        ("g" * 2049, NewRecord("r", {}), InvalidKeyError, "1 to 2048 bytes"),
        (cast("str", 7), NewRecord("r", {}), InvalidKeyError, "group id 7"),
        ("g", NewRecord("", {}), InvalidKeyError, "record id ''"),
        ("g", NewRecord("é" * 509, {}), InvalidKeyError, "1 to 1017 bytes"),
        ("g", NewRecord("r", {"blob": b"x" * 409_600}), RecordTooLargeError, "an item has at most 409600"),
        ("g", NewRecord("r", {"ratio": cast("int", 0.5)}), ItemCodecError, "float"),
        ("g", NewRecord("r", {}, "kind", {"points": cast("int", 0.5)}), InvalidRecordError, "must be an integer"),
        ("g", NewRecord("r", {}, "kind", {"points": 10**30}), InvalidRecordError, "30 digits at most"),
        ("g", NewRecord("r", {}, "kind", {"": 1}), InvalidRecordError, "with a name"),
        ("g", NewRecord("r", {}), InvalidRecordError, "needs a kind"),
        ("g", NewRecord("r", {}, ""), InvalidRecordError, "kind '': must be text that is not empty"),
        ("g", NewRecord("r", {}, cast("str", 7)), InvalidRecordError, "kind 7: must be text"),
        ("g", NewRecord("\ud800", {}, "kind"), InvalidKeyError, "1 to 1017 bytes in UTF-8"),
        ("\ud800", NewRecord("r", {}, "kind"), InvalidKeyError, "1 to 2048 bytes in UTF-8"),
        ("g", NewRecord("r", {}, "kind", dict.fromkeys(map(str, range(101)), 1)), InvalidRecordError, "100 names"),
    ],
)
def test_a_bad_record_writes_nothing(group_id: str, record: NewRecord, error: type[Exception], text: str) -> None:
    client = FaultyClient(cast("DynamoDBClient", None))
    groups = aggregator_on(client, "table", ByKinds(frozenset({"kind"})))
    # The bad one belongs to the second transaction.
    good = [NewRecord(f"good{number}", {}, "kind") for number in range(99)]
    with pytest.raises(error, match=text):
        groups.add_all(group_id, [*good, record])
    assert not client.calls


@pytest.mark.parametrize(
    "text", ["", "sometimes", "count", "count:", "count:-1", "count:0", "count:1.5", "kinds:", "kinds:a,,b"]
)
def test_an_unknown_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidCompletionError, match="completion rule"):
        parse_completion(text)


def test_rules_read_from_text() -> None:
    assert parse_completion("count:10") == ByCount(10)
    assert parse_completion("kinds:b,a") == ByKinds(frozenset({"a", "b"}))
    assert parse_completion("timeout") == ByTimeout()
    assert isinstance(parse_completion("predicate", lambda _progress: True), ByPredicate)
    with pytest.raises(InvalidCompletionError, match="if and only if"):
        parse_completion("predicate")
    with pytest.raises(InvalidCompletionError, match="if and only if"):
        parse_completion("count:3", lambda _progress: True)
    assert doctest.testmod(completion).failed == 0


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"completion": "count"}, InvalidCompletionError),
        ({"completion": ByTimeout()}, InvalidCompletionError),
        ({"completion": ByCount(1), "lease_ms": 0}, InvalidSettingError),
        ({"completion": ByCount(1), "late": "LATER"}, InvalidSettingError),
        ({"completion": ByCount(1), "duplicates": "MERGE"}, InvalidSettingError),
        ({"completion": ByCount(1), "timeout_ms": -1}, InvalidSettingError),
        ({"completion": ByCount(1), "timeout_ms": 1000, "retention_ms": 1000}, InvalidSettingError),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Aggregator(
            client=cast("DynamoDBClient", None),
            table_name="table",
            clock=lambda: 0,
            sleep=lambda _seconds: None,
            random=lambda: 0.0,
            **settings,
        )


def test_settings_come_from_the_environment() -> None:
    environ = {"A_TABLE": "t", "A_COMPLETION": "count:2", "A_TIMEOUT_MS": "5000", "A_LATE": "KEEP"}
    settings = AggregatorSettings.from_environ(environ, prefix="A")
    groups = settings.aggregator(
        cast("DynamoDBClient", None), clock=lambda: 0, sleep=lambda _seconds: None, random=lambda: 0.0
    )
    assert (groups.table_name, groups.completion, groups.timeout_ms, groups.late) == (
        "t",
        ByCount(2),
        5000,
        LatePolicy.KEEP,
    )
    for name, value in (("A_TABLE", ""), ("A_TIMEOUT_MS", "0"), ("A_LEASE_MS", "1.5"), ("A_LATE", "LATER")):
        with pytest.raises(InvalidSettingError, match=f"{name} is '{value}'"):
            AggregatorSettings.from_environ({**environ, name: value}, prefix="A")


def test_sizes_are_never_less_than_dynamodb_counts() -> None:
    nested: Item = {"n": -12345, "flag": True, "none": None, "list": [1, "ab"], "map": {"k": b"xyz"}}
    counted = (1 + 5) + (4 + 1) + (4 + 1) + (4 + 3 + 2 * 1 + 2 + 2) + (3 + 3 + 1 + 1 + 3)
    assert counted <= item_size(nested) <= counted + 8

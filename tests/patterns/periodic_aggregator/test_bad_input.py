"""Bad input is refused with the value and the rule, before anything is written."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING, Any, cast

import pytest

from patterns.dynamodb.items import ItemCodecError
from patterns.periodic_aggregator import (
    InvalidKeyError,
    InvalidRecordError,
    InvalidSettingError,
    LatePolicy,
    NewRecord,
    PeriodicAggregator,
    PeriodicAggregatorSettings,
    RecordTooLargeError,
    metrics,
)
from tests.faults import FaultyClient
from tests.patterns.periodic_aggregator.buckets import buckets_on

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@pytest.mark.parametrize(
    ("key", "record", "error", "text"),
    [
        ("", NewRecord("r", {}, 0), InvalidKeyError, "key '': must be text of 1 to 1900 bytes"),
        (cast("str", None), NewRecord("r", {}, 0), InvalidKeyError, "key None"),
        ("k", NewRecord("", {}, 0), InvalidKeyError, "record id ''"),
        ("k", NewRecord("r" * 993, {}, 0), InvalidKeyError, "1 to 992 bytes"),
        ("k", NewRecord("\ud800", {}, 0), InvalidKeyError, "1 to 992 bytes in UTF-8"),
        ("\ud800", NewRecord("r", {}, 0), InvalidKeyError, "1 to 1900 bytes in UTF-8"),
        ("k", NewRecord("r", {}, -1), InvalidRecordError, "at_ms -1: must be epoch milliseconds"),
        ("k", NewRecord("r", {}, cast("int", 1.5)), InvalidRecordError, "at_ms 1.5"),
        ("k", NewRecord("r", {"blob": b"x" * 409_600}, 0), RecordTooLargeError, "at most 409600"),
        ("k", NewRecord("r", {"ratio": cast("int", 0.5)}, 0), ItemCodecError, "float"),
    ],
)
def test_a_bad_record_writes_nothing(key: str, record: NewRecord, error: type[Exception], text: str) -> None:
    client = FaultyClient(cast("DynamoDBClient", None))
    with pytest.raises(error, match=text):
        buckets_on(client, "table").add_all(key, [NewRecord("good", {}, 0), record])
    assert not client.calls


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width_ms", 0),
        ("width_ms", -60_000),
        ("width_ms", 0.5),
        ("grace_ms", -1),
        ("lease_ms", 0),
        ("shards", 0),
        ("shards", 257),
        ("retention_ms", 0),
        ("late", "LATER"),
    ],
)
def test_impossible_settings_are_refused(name: str, value: object) -> None:
    settings: dict[str, Any] = {"width_ms": 60_000, name: value}
    with pytest.raises(InvalidSettingError, match=f"{name} is {value!r}: must be"):
        PeriodicAggregator(
            client=cast("DynamoDBClient", None),
            table_name="table",
            clock=lambda: 0,
            sleep=lambda _seconds: None,
            random=lambda: 0.0,
            **settings,
        )


def test_settings_come_from_the_environment() -> None:
    environ = {"P_TABLE": "t", "P_WIDTH_MS": "60000", "P_LATE": "REOPEN", "P_SHARDS": "4"}
    settings = PeriodicAggregatorSettings.from_environ(environ, prefix="P")
    buckets = settings.aggregator(
        cast("DynamoDBClient", None), clock=lambda: 0, sleep=lambda _seconds: None, random=lambda: 0.0
    )
    assert (buckets.table_name, buckets.width_ms, buckets.late, buckets.shards, buckets.retention_ms) == (
        "t",
        60_000,
        LatePolicy.REOPEN,
        4,
        None,
    )
    for name, value in (("P_TABLE", ""), ("P_WIDTH_MS", ""), ("P_WIDTH_MS", "-1"), ("P_LATE", "LATER")):
        with pytest.raises(InvalidSettingError, match=f"{name} is '{value}'"):
            PeriodicAggregatorSettings.from_environ({**environ, name: value}, prefix="P")


def test_the_documented_metric_is_the_real_one() -> None:
    assert doctest.testmod(metrics) == doctest.TestResults(failed=0, attempted=2)

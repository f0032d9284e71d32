"""Filter patterns, by the examples of the Lambda and EventBridge guides."""

from __future__ import annotations

import json

import pytest

from local.delivery.filters import PatternError, accepts, compile_pattern
from local.delivery.records import DynamoDBRecord, KinesisRecord


def matches(pattern: object, data: object) -> bool:
    text = json.dumps({"data": pattern})
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return accepts([compile_pattern(text)], KinesisRecord("1", "k", 0, raw), {"kinesis": {"partitionKey": "k"}})


@pytest.mark.parametrize(
    ("pattern", "matching", "not_matching"),
    [
        ({"UserID": [None]}, {"UserID": None}, {"UserID": ""}),
        ({"UserID": [None]}, {"UserID": [None]}, {}),
        ({"LastName": [""]}, {"LastName": ""}, {"LastName": None}),
        ({"Name": ["Alice"]}, {"Name": "Alice"}, {"Name": "alice"}),
        ({"Name": [{"equals-ignore-case": "Alice"}]}, {"Name": "aLICE"}, {"Name": "Alicia"}),
        ({"Location": ["New York"], "Day": ["Monday"]}, {"Location": "New York", "Day": "Monday"}, {"Day": "Monday"}),
        ({"PaymentType": ["Credit", "Debit"]}, {"PaymentType": "Debit"}, {"PaymentType": "Cash"}),
        (
            {"$or": [{"Location": ["New York"]}, {"Day": ["Monday"]}]},
            {"Location": "Oslo", "Day": "Monday"},
            {"Location": "Oslo", "Day": "Friday"},
        ),
        ({"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"a": 1, "c": 1}, {"a": 2, "c": 1}),
        ({"Weather": [{"anything-but": ["Raining"]}]}, {"Weather": "Sunny"}, {"Weather": "Raining"}),
        ({"Weather": [{"anything-but": "Raining"}]}, {"Weather": ["Raining", "Windy"]}, {}),
        ({"Limit": [{"anything-but": [100, 200]}]}, {"Limit": 300}, {"Limit": 200}),
        ({"Price": [{"numeric": ["=", 100]}]}, {"Price": 100.0}, {"Price": 101}),
        ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, {"Price": 20}, {"Price": 10}),
        ({"Price": [{"numeric": ["<", 10]}]}, {"Price": -5.5}, {"Price": "5"}),
        ({"Price": [300]}, b'{"Price": 300}', b'{"Price": 300.0}'),
        ({"Price": [3.5]}, {"Price": 3.5}, {"Price": "3.5"}),
        ({"Open": [True]}, {"Open": True}, {"Open": 1}),
        ({"ProductName": [{"exists": True}]}, {"ProductName": None}, {}),
        ({"ProductName": [{"exists": True}]}, {"ProductName": "x"}, {"ProductName": {"leaf": "x"}}),
        ({"ProductName": [{"exists": False}]}, {}, {"ProductName": "x"}),
        ({"a": {"b": [{"exists": False}]}}, {"x": 1}, {"a": {"b": 1}}),
        ({"Region": [{"prefix": "us-"}]}, {"Region": "us-east-1"}, {"Region": "eu-us-1"}),
        ({"Region": [{"prefix": {"equals-ignore-case": "US-"}}]}, {"Region": "us-east-1"}, {"Region": "eu"}),
        ({"File": [{"suffix": ".png"}]}, {"File": "a.png"}, {"File": "a.png.zip"}),
        ({"a": {"b": {"c": ["x"]}}}, {"a": {"b": {"c": "x", "d": 1}}}, {"a": {"b": {"c": {"x": "x"}}}}),
        ({"tags": ["red", "blue"]}, {"tags": ["green", "blue"]}, {"tags": []}),
        ({"lines": {"sku": ["x"]}}, {"lines": [{"sku": "y"}, {"sku": "x"}]}, {"lines": [{"sku": "y"}]}),
        ({"Name": ["Alice"]}, {"Name": "Alice"}, b"not json"),
        ({"Name": ["Alice"]}, {"Name": "Alice"}, b"\xff\xfe\x00"),
        ({"Name": ["Alice"]}, {"Name": "Alice"}, ["Alice"]),
    ],
)
def test_documented_operators(pattern: object, matching: object, not_matching: object) -> None:
    assert matches(pattern, matching)
    assert not matches(pattern, not_matching)


def test_a_dynamodb_record_is_matched_as_it_is() -> None:
    pattern = compile_pattern(
        '{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"bid_id": {"S": [{"exists": true}]}}}}'
    )

    def passes(event_name: str, image: dict[str, object]) -> bool:
        event = {"eventName": event_name, "dynamodb": {"NewImage": image}}
        return accepts([pattern], DynamoDBRecord("1", "k", 0, event), event)

    assert passes("INSERT", {"bid_id": {"S": "1"}})
    assert not passes("MODIFY", {"bid_id": {"S": "1"}})
    assert not passes("INSERT", {"order_id": {"S": "1"}})


def test_a_record_passes_if_one_of_several_patterns_matches_and_all_pass_without_any() -> None:
    patterns = [compile_pattern('{"data": {"a": [1]}}'), compile_pattern('{"partitionKey": ["k"]}')]
    event = {"partitionKey": "k", "data": "bm90IGpzb24="}
    record = KinesisRecord("1", "k", 0, b"not json")
    assert accepts(patterns, record, event)
    assert not accepts(patterns[:1], record, event)
    assert accepts([], record, event)


REFUSED: list[tuple[object, str]] = [
    ("not json", "not JSON"),
    ("[1]", "must be a JSON object"),
    ("{}", "at least one field"),
    ({"a": {}}, "empty objects"),
    ({"a": []}, "at least one rule"),
    ({"a": "x"}, "must be an object or a list"),
    ({"a": [["x"]]}, "not a list"),
    ({"a": [{"wildcard": "x*"}]}, "operator 'wildcard' is not supported"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "exactly one operator"),
    ({"a": [{"prefix": 1}]}, "prefix"),
    ({"a": [{"suffix": {"prefix": "x"}}]}, "suffix"),
    ({"a": [{"exists": "yes"}]}, "exists must be"),
    ({"a": [{"anything-but": {"prefix": "x"}}]}, "anything-but"),
    ({"a": [{"anything-but": ["x", 1]}]}, "anything-but"),
    ({"a": [{"anything-but": []}]}, "anything-but"),
    ({"a": [{"numeric": [">"]}]}, "numeric"),
    ({"a": [{"numeric": ["!=", 1]}]}, "numeric"),
    ({"a": [{"numeric": [">", "1"]}]}, "numeric"),
    ({"$or": [{"a": [1]}]}, "at least two"),
    ('{"a": [NaN]}', "not JSON"),
]


@pytest.mark.parametrize(("pattern", "complaint"), REFUSED)
def test_invalid_patterns_are_refused_with_a_reason(pattern: object, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint.replace("$", r"\$")):
        compile_pattern(pattern if isinstance(pattern, str) else json.dumps(pattern))

"""The quickened emulator answers as the emulator does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import dynamodb, kinesis, sts

from local import quickening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EMULATOR: Any = dynamodb
_STREAMS: Any = kinesis
_POLICIES: Any = iam_evaluator
_plain_evaluation: Callable[..., Any] = _EMULATOR._evaluate_condition
_plain_parse: Callable[..., Any] = _POLICIES.parse_policy_document
_plain_caller: Callable[..., str] = _POLICIES.request_caller_arn

EXPRESSIONS = (
    "#a = :x",
    "#a = :x AND b > :y",
    "#a = :x AND b BETWEEN :x AND :y",
    "attribute_not_exists(#a) OR (b < :y AND NOT begins_with(#a, :x))",
    "size(#a) >= :y",
    "#a IN (:x, :y)",
    "#a = :nowhere",
    "#missing = :x",
    "((#a = :x))",
    "#a = ",
    "name = :x",
    "",
)
VALUES = st.sampled_from([{"S": ""}, {"S": "a"}, {"S": "ab"}, {"S": "b"}, {"N": "-1"}, {"N": "0"}, {"N": "2"}])
ITEMS = st.dictionaries(st.sampled_from(["a", "b"]), VALUES)


@pytest.fixture(autouse=True)
def quickened() -> Iterator[None]:
    places: list[tuple[Any, str]] = [
        (_EMULATOR, "_tokenize"),
        (_EMULATOR, "_evaluate_condition"),
        (_EMULATOR, "_condition_syntax_error"),
        (_STREAMS, "_expire_records"),
        (_STREAMS, "_expire_iterators"),
        (_POLICIES, "parse_policy_document"),
        (_POLICIES, "request_caller_arn"),
        (lambda_runtime.Worker, "_drain_stderr_bounded"),
    ]
    before = [(place, name, getattr(place, name)) for place, name in places]
    quickening.quicken()
    yield
    for place, name, value in before:
        setattr(place, name, value)


def outcome(evaluate: Callable[..., Any], *request: Any) -> object:
    try:
        return evaluate(*request)
    except ValueError as error:
        return str(error)


@given(
    st.sampled_from(EXPRESSIONS),
    st.lists(st.tuples(ITEMS, VALUES, VALUES), min_size=1, max_size=4),
    st.sampled_from(["ConditionExpression", "FilterExpression"]),
)
def test_a_condition_means_the_same_the_first_time_and_later(
    expression: str, uses: list[tuple[dict[str, Any], Any, Any]], slot: str
) -> None:
    for item, first, second in uses:
        request = (expression, item, {":x": first, ":y": second}, {"#a": "a"}, slot)
        assert outcome(_EMULATOR._evaluate_condition, *request) == outcome(_plain_evaluation, *request)


@pytest.mark.parametrize("ages_h", [[], [1.0, 0.5], [25.0, 24.5, 1.0], [30.0, 25.0]])
def test_of_a_stream_the_records_within_its_retention_are_left(ages_h: list[float]) -> None:
    now = time.time()
    records = [{"ApproximateArrivalTimestamp": now - age * 3600, "age": age} for age in ages_h]
    stream: dict[str, Any] = {"RetentionPeriodHours": 24, "shards": {"1": {"records": records}}}
    _STREAMS._expire_records(stream)
    assert [record["age"] for record in stream["shards"]["1"]["records"]] == [age for age in ages_h if age < 24]


def test_a_policy_grants_what_it_says_and_after_a_change_what_it_says_then() -> None:
    documents = [
        f'{{"Statement": [{{"Effect": "Allow", "Action": "{action}", "Resource": "*"}}]}}'
        for action in ("dynamodb:PutItem", "dynamodb:Query", "dynamodb:PutItem")
    ]
    for document in [*documents, "no json"]:
        assert _POLICIES.parse_policy_document(document) == _plain_parse(document)


@pytest.mark.parametrize(
    "access_key_id", ["ASIASESSION", "ASIAOTHERS", "000000000000", "123456789012", "AKIANOBODY", ""]
)
def test_a_caller_has_the_name_they_had(access_key_id: str) -> None:
    for key, account in (("ASIASESSION", "000000000000"), ("ASIAOTHERS", "123456789012")):
        session = {
            "Arn": f"arn:aws:sts::{account}:assumed-role/matcher/it",
            "SecretAccessKey": "s",
            "AccountId": account,
        }
        cast("Any", sts).register_session(key, session)
    scope = f"{access_key_id}/20260101/us-east-1/dynamodb/aws4_request"
    headers = {"authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    assert _POLICIES.request_caller_arn(headers, {}) == _plain_caller(headers, {})

"""The environment model says which variable is wrong."""

from __future__ import annotations

import pytest

from functions.environment import (
    AsksEnvironment,
    BidsEnvironment,
    EnvironmentVariableError,
    FunctionEnvironment,
    MatcherEnvironment,
    QuotesEnvironment,
)
from tests.api.variables import VARIABLES

OPTIONAL = {"TRACING", "ORDERS_STREAM_NAME", "FEED_HTTP_HOST"}
COMPLETE = VARIABLES | {
    "PARKED_RECORDS_QUEUE_URL": "https://sqs/parked",
    "SELF_TRADE_PREVENTION": "CANCEL_TAKER",
    "EXPRESS_LANE": "1",
}


@pytest.mark.parametrize("model", [AsksEnvironment, BidsEnvironment, QuotesEnvironment, MatcherEnvironment])
def test_each_variable_is_needed(model: type[FunctionEnvironment]) -> None:
    model.from_environ(COMPLETE)
    for name in {*model.variables()} - OPTIONAL:
        for incomplete in (COMPLETE | {name: ""}, {key: value for key, value in COMPLETE.items() if key != name}):
            with pytest.raises(EnvironmentVariableError, match=f"{name} is missing"):
                model.from_environ(incomplete)


def test_values_are_typed() -> None:
    environment = AsksEnvironment.from_environ(COMPLETE)
    assert environment.materials == ("copper", "wheat")
    assert (environment.tick_minor, environment.currency_digits, environment.max_quantity) == (5, 2, 1_000_000)


@pytest.mark.parametrize(
    ("name", "text"),
    [("TICK_MINOR", "five"), ("MAX_QUANTITY", "-1"), ("CURRENCY_DIGITS", "٢"), ("MATERIALS", "copper,,wheat")],
)
def test_a_malformed_value_is_named(name: str, text: str) -> None:
    with pytest.raises(EnvironmentVariableError, match=name):
        AsksEnvironment.from_environ(COMPLETE | {name: text})

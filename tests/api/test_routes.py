"""Everything that reaches a function is answered in one shape, and logged in one line without secrets."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import asks_api
from tests.api.faults import refusing
from tests.api.front_door import FrontDoor, opened
from tests.api.variables import VARIABLES

ORDER = {"material": "copper", "quantity": 3, "price": "12.50", "client_order_id": "not-for-the-log"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/asks", "GET, POST, DELETE"),
        ("PATCH", "/bids", "GET, POST, DELETE"),
        ("POST", "/asks/01a1fd1e-8c4e-7e2d-ad84-6a46ff8e50ea", "GET, PATCH, DELETE"),
        ("POST", "/materials/copper/book", "GET"),
        ("OPTIONS", "/materials/copper/trades", "GET"),
    ],
)
def test_another_method_is_refused_with_the_allowed_ones(
    market: FrontDoor, method: str, path: str, allowed: str
) -> None:
    reply = market.send(method, path, ORDER)
    assert (reply.status, reply.error) == (405, ("method_not_allowed", None, None))
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["/", "/orders", "/asks/", "/asks/a/b", "/materials", "/materials/copper", "//asks"])
def test_an_unknown_path_is_not_found(market: FrontDoor, path: str) -> None:
    reply = market.send("GET", path)
    assert (reply.status, reply.error) == (404, ("not_found", "path", "known_route"))


@pytest.mark.parametrize("path", ["/asks", "/bids", "/materials/copper/book"])
def test_a_route_without_its_authorizer_serves_nobody(market: FrontDoor, path: str) -> None:
    for player in (None, ""):
        reply = market.send("GET", path, player=player)
        assert (reply.status, reply.error) == (401, ("unauthorized", None, None))


@pytest.mark.parametrize("event", [{}, {"version": "1.0"}, {"requestContext": {"http": {}}}])
def test_an_event_that_is_no_request_is_answered_all_the_same(event: dict[str, Any]) -> None:
    answer = asks_api.handler(event, LambdaContext())
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["error"]["code"] == "internal"


def test_a_request_is_one_log_line_of_ids(capsys: pytest.CaptureFixture[str]) -> None:
    with opened("logged-once") as market:
        order = market.send("POST", "/asks", ORDER).body
        market.send("POST", "/asks", ORDER | {"quantity": "secret amount"})
        market.send("GET", "/asks", player=None)
    placed, refused, anonymous = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (
        placed.items()
        >= {
            "level": "INFO",
            "service": "logged-once",
            "environment": "test",
            "route": "POST /asks",
            "status": 201,
            "player": "alice",
            "order_id": order["id"],
            "request_id": "JKJaXmPLvHcESHA=",
        }.items()
    )
    assert refused.items() >= {"status": 400, "field": "quantity", "rule": "type", "error": "invalid_field"}.items()
    assert not {"player", "order_id", "field"} & anonymous.keys()
    assert not any(word in str((placed, refused)) for word in ("secret", "not-for-the-log", "Bearer", "12.50"))


def test_a_refused_field_is_logged_and_told_short_and_whole_whatever_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON can name a field by half a character, which no output can encode: the line would be lost."""
    written = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with opened("logged-field") as market:
        monkeypatch.setattr(logging.getLogger("logged-field").handlers[0], "stream", written)
        replies = [market.send("POST", "/asks", body) for body in ('{"\\ud800": 1}', json.dumps({"x" * 8000: 1}))]
    written.flush()
    lines = [json.loads(line) for line in written.buffer.getvalue().splitlines()]
    assert [line["field"] for line in lines] == ["?", "x" * 63 + "…"]
    assert [reply.error for reply in replies] == [("invalid_field", line["field"], "known_field") for line in lines]
    assert capsys.readouterr().err == ""


def test_an_unexpected_exception_is_logged_with_its_stack_and_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with opened("logged-stack") as market, refusing(market.client, "TransactWriteItems", "AccessDeniedException"):
        reply = market.send("POST", "/bids", {"material": "copper", "quantity": 3, "price": "12.50"})
    stack, request = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (reply.status, reply.error) == (500, ("internal", None, None))
    assert "AccessDeniedException" in stack["exception"]
    assert (request["status"], request["error"]) == (500, "internal")


@pytest.mark.parametrize("module", ["asks_api", "bids_api", "quotes_api"])
def test_a_handler_starts_without_the_libraries_that_make_cold_starts_slow(module: str) -> None:
    """The dear ones by name, and a ceiling on how many modules a start may load."""
    program = f"import sys, functions.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, env=VARIABLES)
    loaded = set(done.stdout.split())
    heavy = {"boto3", "pydantic", "s3transfer", "aws_xray_sdk", "pulumi", "moto"}
    assert not loaded & heavy
    assert len(loaded) < 700


def test_a_missing_variable_stops_the_start_with_its_name() -> None:
    variables = {name: value for name, value in VARIABLES.items() if name != "SELL_ORDERS_TABLE"}
    program = [sys.executable, "-c", "import functions.asks_api"]
    done = subprocess.run(program, check=False, capture_output=True, text=True, env=variables)
    assert done.returncode == 1
    assert "SELL_ORDERS_TABLE is missing" in done.stderr.splitlines()[-1]

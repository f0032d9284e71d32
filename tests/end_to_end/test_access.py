"""Who gets in: a valid token of this environment, and then only to one's own orders."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import pytest

from cli.api import MarketApi, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.conftest import Market

ASK = {"material": "salt", "quantity": 1, "price": "1.00"}


def _post(market: Market, token: str) -> Reply:
    with MarketApi(market.environment.api_url) as api:
        return api.post("/asks", token, ASK)


def _order_ids(market: Market) -> set[str]:
    tables = market.tables()
    return {order.ask_id for order in tables.sell_orders} | {bid.bid_id for bid in tables.bids}


def _segment(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def _changed_claim(token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{_segment(_claims(token) | {'sub': 'somebody-else'})}.{signature}"


def _unsigned(token: str) -> str:
    return f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(_claims(token))}."


FORGERIES: dict[str, Callable[[str], str]] = {
    "missing": lambda _token: "",
    "not a token": lambda _token: "abc",
    "a changed claim under the old signature": _changed_claim,
    "no signature at all": _unsigned,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_or_missing_token_gets_401_and_stores_nothing(market: Market, forgery: str) -> None:
    before = _order_ids(market)
    assert _post(market, FORGERIES[forgery](market.token("ann"))).status == 401
    assert _order_ids(market) == before


def test_an_expired_token_gets_401(market: Market) -> None:
    cognito = market.running.client("cognito-idp")
    pool = {
        "UserPoolId": market.running.outputs["player_pool_id"],
        "ClientId": market.running.outputs["player_pool_client_id"],
    }
    client = cognito.describe_user_pool_client(**pool)["UserPoolClient"]
    units = client["TokenValidityUnits"]
    kept = {
        "ExplicitAuthFlows": client["ExplicitAuthFlows"],
        "AccessTokenValidity": client["AccessTokenValidity"],
        "TokenValidityUnits": units,
    }
    # AWS's shortest life of a token is five minutes; the emulator does not insist.
    cognito.update_user_pool_client(
        **pool, **kept | {"AccessTokenValidity": 1, "TokenValidityUnits": units | {"AccessToken": "seconds"}}
    )
    try:
        token = market.token("eve, who is late")
    finally:
        cognito.update_user_pool_client(**pool, **kept)
    expires_s = int(str(_claims(token)["exp"]))
    while time.time() <= expires_s + 1:
        time.sleep(0.1)
    assert _post(market, token).status == 401


def test_another_players_order_looks_like_none(market: Market) -> None:
    ask_id = market.sell("ann", "salt", 1, "2.00")
    bid_id = market.buy("ann", "salt", 1, "1.00")

    for reply in (market.get("bob", "asks", ask_id), market.get("bob", "bids", bid_id)):
        assert (reply.status, reply.body["error"]["field"], reply.body["error"]["rule"]) == (404, "id", "own_order")
    assert ask_id not in {ask["id"] for ask in market.get("bob", "asks").accepted()["asks"]}


def test_bad_input_names_field_and_rule_and_stores_nothing(market: Market) -> None:
    before = _order_ids(market)
    for path in ("/asks", "/bids"):
        reply = market.post("ann", path, ASK | {"price": "1.005"})
        assert reply.status == 400
        assert reply.body["error"]["field"] == "price"
        assert reply.body["error"]["rule"]
    assert _order_ids(market) == before

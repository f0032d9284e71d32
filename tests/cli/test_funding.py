"""Players start with the same goods and money, given by the service, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.failures import MarketRefusedError
from cli.funding import STARTING_UNITS, fund_players

if TYPE_CHECKING:
    from tests.cli.conftest import ApiStandIn


def fund(api: ApiStandIn) -> None:
    fund_players(
        ["id-1", "id-2"],
        api_url=api.url,
        token="service",
        materials=["copper", "wheat"],
        tick_minor=5,
        currency_digits=2,
        day="day",
        clients=2,
    )


def test_every_player_gets_money_and_every_material_under_a_reference_of_the_day(api: ApiStandIn) -> None:
    fund(api)
    assert {request.token for request in api.requests} == {"service"}
    deposits: dict[str, list[dict[str, object]]] = {}
    for request in api.requests:
        assert request.body is not None
        deposits.setdefault(request.path.rpartition("$default")[2], []).append(request.body)
    for player in ("id-1", "id-2"):
        assert deposits[f"/accounts/{player}/deposits"] == [
            {"asset": "money", "amount": "5000000.00", "reference": "day-money"},
            {"asset": "copper", "amount": STARTING_UNITS, "reference": "day-copper"},
            {"asset": "wheat", "amount": STARTING_UNITS, "reference": "day-wheat"},
        ]


def test_a_deposit_that_is_refused_ends_the_day(api: ApiStandIn) -> None:
    api.answer = lambda _: (403, {"message": "Forbidden"})
    with pytest.raises(MarketRefusedError, match="Forbidden"):
        fund(api)

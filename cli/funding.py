"""What players start a trading day with: deposits of the game's own service, through the HTTP API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from cli.api import MarketApi, path_of
from market.accounts.bookkeeping import MONEY
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTING_UNITS: Final = 500
"""Units of each material that a player starts with: some sell more than they have, and are refused."""

STARTING_TICKS: Final = 100_000_000
"""Money that a player starts with, in ticks: enough for all their bids of a day, unless a market order holds it."""

_MOST_MINOR = 999_999_999_999  # of one deposit


def fund_players(
    player_ids: Sequence[str],
    *,
    api_url: str,
    token: str,
    materials: Sequence[str],
    tick_minor: int,
    currency_digits: int,
    day: str,
    clients: int,
    units: int = STARTING_UNITS,
) -> None:
    """Give every player the same goods and money, each once: a deposit sent twice has the same reference.

    Parameters
    ----------
    player_ids
        Subjects of the players' tokens.
    api_url, token
        The API, and an access token of the service.
    materials, tick_minor, currency_digits
        What is traded, tick size in minor units, decimals of a price.
    day
        Short text that no other trading day has: the references are made of it.
    clients
        Number of threads.
    units
        Of each material.

    Raises
    ------
    MarketRefusedError
        The service may not deposit.
    EnvironmentUnavailableError
        The API does not answer.
    """
    money = format_price(min(STARTING_TICKS * tick_minor, _MOST_MINOR), currency_digits)
    amounts: list[tuple[str, str | int]] = [(MONEY, money), *((material, units) for material in materials)]

    def fund(player_id: str) -> None:
        with MarketApi(api_url) as api:
            for asset, amount in amounts:
                body = {"asset": asset, "amount": amount, "reference": f"{day}-{asset}"}
                api.post(path_of("accounts", player_id, "deposits"), token, body).accepted()

    with ThreadPoolExecutor(clients, thread_name_prefix="service") as pool:
        list(pool.map(fund, player_ids))

"""Requests of the game's own service to give a player an amount of an asset, or to take it away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from market.accounts.bookkeeping import MONEY
from market.errors import InvalidFieldError, Rule
from market.requests.fields import read_price, read_quantity, read_text, refuse_unknown_fields, require_fields

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST_UNITS: Final = 999_999_999_999
"""Most units of a material in one transfer, as many as money has minor units at most."""

PLAYER_PATTERN = re.compile(r"[!-~]{1,255}")
"""An id of a player: what an OpenID Connect subject may be (Core 1.0, §2), visible characters only."""

_FIELDS = ("asset", "amount", "reference")
_REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class TransferKind(StrEnum):
    """Which way a transfer goes."""

    DEPOSIT = "deposit"
    """From the game to the player."""
    WITHDRAWAL = "withdrawal"
    """From the player to the game."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A valid request for a deposit or withdrawal.

    Parameters
    ----------
    asset
        `MONEY` or a traded material.
    amount
        Minor units or units, 1 or more.
    reference
        The service's own name for it, which makes it idempotent for each player and kind.
    """

    asset: str
    amount: int
    reference: str

    def fingerprint(self) -> str:
        """Return the SHA-256 (64 hex digits) of what is asked for, equal for every spelling of it."""
        return sha256(f"{self.asset}\n{self.amount}".encode()).hexdigest()


def read_transfer(request: Mapping[str, object], materials: Collection[str], currency_digits: int) -> Transfer:
    """Check a request for a deposit or withdrawal.

    Parameters
    ----------
    request
        A decoded JSON object whose numbers are `NumberLiteral`; fields asset, amount, reference.
    materials
        Names of the traded materials.
    currency_digits
        Decimal digits of the currency.

    Raises
    ------
    InvalidFieldError
        The first rule that is broken: unknown and missing fields come first, then the fields in the order above.
    """
    refuse_unknown_fields(request, _FIELDS, "a transfer")
    require_fields(request, _FIELDS)
    asset = read_text(request, "asset")
    if asset == MONEY:
        amount = read_price(request, 1, currency_digits, "amount")
    elif asset in materials:
        amount = read_quantity(request, MOST_UNITS, "amount")
    else:
        known = ", ".join([MONEY, *sorted(materials)])
        raise InvalidFieldError("asset", asset, Rule.KNOWN_MATERIAL, f"one of {known}")
    reference = read_text(request, "reference")
    if not _REFERENCE.fullmatch(reference):
        requirement = "1 to 64 letters, digits, dots, colons, hyphens or underscores"
        raise InvalidFieldError("reference", reference, Rule.PATTERN, requirement)
    return Transfer(asset, amount, reference)

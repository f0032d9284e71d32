"""What a client is told when a request is not served: one shape for every error.

``{"error": {"code", "field", "value", "rule", "message"}}``. `code` says what kind of error it is; field, value and
rule (`market.errors.Rule`) are null unless one field of the request is to blame. Some codes have members of their own:
what is missing of an asset says how much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.accounts.bookkeeping import MONEY
from market.errors import InvalidFieldError, Rule
from market.money import format_price

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.accounts.bookkeeping import InsufficientError, TooManyOpenOrdersError

_LONGEST_ECHO = 64  # characters


class Problem(Exception):  # noqa: N818  # it is the answer to a request, not a defect
    """Ends a request with an error answer.

    Parameters
    ----------
    status
        HTTP status.
    code
        Stable name of the kind of error.
    message
        One sentence for a person; never details of the inside.
    field, value, rule
        What is wrong with which field of the request, if one is to blame. Field and value are kept up to 64 characters,
        and half characters (lone surrogates, which JSON can say and no output can encode) as ``?``.
    headers
        Additional HTTP headers.
    details
        Further members of the error, for programs.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        value: str | None = None,
        rule: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = _echo(field)
        self.value = _echo(value)
        self.rule = rule
        self.headers = dict(headers or {})
        self.details = dict(details or {})

    def body(self) -> dict[str, object]:
        """Return the answer's JSON body."""
        return {
            "error": {
                "code": self.code,
                "field": self.field,
                "value": self.value,
                "rule": self.rule,
                "message": self.message,
                **self.details,
            }
        }


def invalid_field(error: InvalidFieldError, *, status: int = 400, code: str = "invalid_field") -> Problem:
    """Return the answer to a request with an invalid field."""
    message = f"{_echo(error.field)} must be {error.requirement}"
    return Problem(status, code, message, field=error.field, value=error.value, rule=error.rule)


def not_found(error: InvalidFieldError) -> Problem:
    """Return the answer for something that does not exist, or that the player has no right to know exists."""
    return invalid_field(error, status=404, code="not_found")


def conflicting_field(error: InvalidFieldError, code: str = "conflict") -> Problem:
    """Return the answer to a valid request that does not fit what is stored."""
    return invalid_field(error, status=409, code=code)


def insufficient(shortage: InsufficientError, field: str, value: str | None, currency_digits: int) -> Problem:
    """Return the answer to a request that needs more of an asset than its player has available.

    Parameters
    ----------
    shortage
        What is missing.
    field, value
        The field of the request that asks for so much, as given.
    currency_digits
        For amounts of money, which are decimal text; units of a material are numbers.

    Returns
    -------
    Problem
        409, code ``insufficient_funds`` or ``insufficient_goods``, members asset, needed, available and missing.
    """
    amounts: dict[str, str | int] = {
        name: format_price(amount, currency_digits) if shortage.asset == MONEY else amount
        for name, amount in (
            ("needed", shortage.needed),
            ("available", shortage.available),
            ("missing", shortage.missing),
        )
    }
    return Problem(
        409,
        "insufficient_funds" if shortage.asset == MONEY else "insufficient_goods",
        f"{amounts['needed']} of {shortage.asset} needed, {amounts['available']} available",
        field=field,
        value=value,
        rule=Rule.AVAILABLE,
        details={"asset": shortage.asset, **amounts},
    )


def too_many_open_orders(refused: TooManyOpenOrdersError) -> Problem:
    """Return the answer to a request for one more open order than is allowed."""
    requirement = f"one with fewer than {refused.most} open orders of this side"
    error = InvalidFieldError("material", refused.material, Rule.OPEN_ORDERS, requirement)
    return conflicting_field(error, "too_many_open_orders")


def unavailable() -> Problem:
    """Return the answer to a request that may succeed in a moment, or whose success is not known."""
    message = "the market is busy; repeat the request: an order with a client_order_id is placed only once"
    return Problem(503, "unavailable", message, headers={"Retry-After": "1"})


def _echo(text: str | None) -> str | None:
    if text is None:
        return None
    whole = text.encode(errors="replace").decode()
    return whole if len(whole) <= _LONGEST_ECHO else f"{whole[: _LONGEST_ECHO - 1]}…"

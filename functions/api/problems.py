"""What a client is told when a request is not served: one shape for every error.

``{"error": {"code", "field", "value", "rule", "message"}}``. `code` says what kind of error it is; field, value and
rule (`market.errors.Rule`) are null unless one field of the request is to blame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from market.errors import InvalidFieldError

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
        What is wrong with which field of the request, if one is to blame.
    headers
        Additional HTTP headers.
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
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.value = value
        self.rule = rule
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """Return the answer's JSON body; field and value are echoed up to 64 characters."""
        return {
            "error": {
                "code": self.code,
                "field": _shortened(self.field),
                "value": _shortened(self.value),
                "rule": self.rule,
                "message": self.message,
            }
        }


def invalid_field(error: InvalidFieldError, *, status: int = 400, code: str = "invalid_field") -> Problem:
    """Return the answer to a request with an invalid field."""
    message = f"{_shortened(error.field)} must be {error.requirement}"
    return Problem(status, code, message, field=error.field, value=error.value, rule=error.rule)


def not_found(error: InvalidFieldError) -> Problem:
    """Return the answer for something that does not exist, or that the player has no right to know exists."""
    return invalid_field(error, status=404, code="not_found")


def unavailable() -> Problem:
    """Return the answer to a request that may succeed in a moment; it may be repeated unchanged."""
    return Problem(503, "unavailable", "the market is busy; repeat the request", headers={"Retry-After": "1"})


def _shortened(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST_ECHO:
        return text
    return f"{text[: _LONGEST_ECHO - 1]}…"

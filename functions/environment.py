"""The environment variables of each function, as one typed, frozen model a function.

A field's name in capitals is the variable's name, so the model is the whole contract with the deployment: the
components set exactly `variables()`, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self


class EnvironmentVariableError(ValueError):
    """A variable is missing, empty or malformed; the text names it, what was found and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionEnvironment:
    """What every function gets."""

    powertools_service_name: str
    powertools_log_level: str
    environment: str

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """Return the names of the variables the function reads, e.g. ``("POWERTOOLS_SERVICE_NAME", …)``."""
        return tuple(field.name.upper() for field in fields(cls))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read and check all variables at once, while the function starts.

        Parameters
        ----------
        environ
            Usually `os.environ`.

        Raises
        ------
        EnvironmentVariableError
            The first variable that is missing, empty or malformed.
        """
        values: dict[str, object] = {}
        for field in fields(cls):
            name = field.name.upper()
            text = environ.get(name, "")
            if not text:
                raise EnvironmentVariableError(f"environment variable {name} is missing: {cls.__name__} needs it")
            # Annotations are text here (PEP 563), which is all that is needed to tell the three kinds apart.
            values[field.name] = _READERS[str(field.type)](name, text)
        return cls(**values)  # pyright: ignore[reportArgumentType]  # each reader returns its field's type


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingEnvironment(FunctionEnvironment):
    """The market's rules for a new order, shared by both sides."""

    materials: tuple[str, ...]
    tick_minor: int
    currency_digits: int
    max_quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AsksEnvironment(PlacingEnvironment):
    """Variables of `functions.asks_api`."""

    asks_table: str
    sell_orders_table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BidsEnvironment(PlacingEnvironment):
    """Variables of `functions.bids_api`."""

    bids_table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotesEnvironment(FunctionEnvironment):
    """Variables of `functions.quotes_api`."""

    asks_table: str
    standing_bids_table: str
    tape_table: str
    materials: tuple[str, ...]
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherEnvironment(FunctionEnvironment):
    """Variables of `functions.matcher`."""

    asks_table: str
    bids_table: str
    standing_bids_table: str
    tape_table: str
    parked_records_queue_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecorderEnvironment(FunctionEnvironment):
    """Variables of `functions.history_recorder`."""

    history_table: str
    history_source: str
    history_hash_key: str
    history_range_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryApiEnvironment(FunctionEnvironment):
    """Variables of `functions.history_api`."""

    bids_table: str
    sell_orders_table: str
    history_table: str
    currency_digits: int


def _text(_name: str, text: str) -> str:
    return text


def _whole_number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise EnvironmentVariableError(f"environment variable {name}={text!r} must be a whole number")
    return int(text)


def _names(name: str, text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts) or len(set(parts)) != len(parts):
        raise EnvironmentVariableError(f"environment variable {name}={text!r} must be unique comma-separated names")
    return parts


_READERS: dict[str, Callable[[str, str], object]] = {
    "str": _text,
    "int": _whole_number,
    "tuple[str, ...]": _names,
}

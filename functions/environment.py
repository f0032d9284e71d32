"""The environment variables of each function, as one typed, frozen model a function.

A field's name in capitals is the variable's name, so the model is the whole contract with the deployment: the
components set exactly `variables()`, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.environment import read_variables, variable_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class EnvironmentVariableError(ValueError):
    """A variable is missing, empty or malformed; the text names it, what was found and the rule."""

    def __init__(self, name: str, text: str, rule: str) -> None:
        found = f"={text!r} {rule}" if text else " is missing"
        super().__init__(f"environment variable {name}{found}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionEnvironment:
    """What every function gets."""

    powertools_service_name: str
    powertools_log_level: str
    environment: str

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """Return the names of the variables the function reads, e.g. ``("POWERTOOLS_SERVICE_NAME", …)``."""
        return variable_names(cls)

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
        return cls(**read_variables(cls, environ, EnvironmentVariableError))


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEnvironment(FunctionEnvironment):
    """What a function with spans gets: where they go, see `functions.tracing`."""

    tracing: str = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacingEnvironment(TracedEnvironment):
    """The market's rules for a new order, shared by both sides; the stream of orders if there is an express lane."""

    materials: tuple[str, ...]
    tick_minor: int
    currency_digits: int
    max_quantity: int
    min_order_value_minor: int
    max_open_orders: int
    maker_fee_bps: int
    taker_fee_bps: int
    accounts_table: str
    journal_table: str
    orders_stream_name: str | None = None


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
class AccountsEnvironment(FunctionEnvironment):
    """Variables of `functions.accounts_api`."""

    accounts_table: str
    journal_table: str
    materials: tuple[str, ...]
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotesEnvironment(FunctionEnvironment):
    """Variables of `functions.quotes_api`."""

    asks_table: str
    standing_bids_table: str
    tape_table: str
    materials: tuple[str, ...]
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MinutesEnvironment(FunctionEnvironment):
    """What whoever adds to minutes, closes or reads them must know; `patterns.periodic_aggregator` reads it."""

    periodic_aggregator_table: str
    periodic_aggregator_width_ms: int
    periodic_aggregator_grace_ms: int
    periodic_aggregator_late: str
    periodic_aggregator_shards: int
    periodic_aggregator_lease_ms: int
    periodic_aggregator_retention_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesCollectorEnvironment(MinutesEnvironment):
    """Variables of `functions.candles_collector`; `feed_http_host` is set if there is a live feed."""

    currency_digits: int
    feed_http_host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlesEnvironment(MinutesEnvironment):
    """Variables of `functions.candles`."""

    candles_table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketDataEnvironment(CandlesEnvironment):
    """Variables of `functions.market_data_api`."""

    asks_table: str
    standing_bids_table: str
    tape_table: str
    materials: tuple[str, ...]
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsEnvironment(FunctionEnvironment):
    """Variables of `functions.fills_api`."""

    journal_table: str
    tape_table: str
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherEnvironment(TracedEnvironment):
    """Variables of `functions.matcher`: `express_lane` is 1 or 0, `feed_http_host` is set if there is a live feed."""

    asks_table: str
    sell_orders_table: str
    bids_table: str
    standing_bids_table: str
    tape_table: str
    parked_records_queue_url: str
    maker_fee_bps: int
    taker_fee_bps: int
    self_trade_prevention: str
    currency_digits: int
    express_lane: int
    feed_http_host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryEnvironment(FunctionEnvironment):
    """Variables of `functions.expiry`."""

    asks_table: str
    standing_bids_table: str
    orders_stream: str
    materials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecorderEnvironment(FunctionEnvironment):
    """Variables of `functions.history_recorder`."""

    history_table: str
    history_source: str
    history_hash_key: str
    history_range_key: str
    history_archive_bucket: str
    history_hot_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEnvironment(FunctionEnvironment):
    """Variables of `functions.audit_api`."""

    asks_table: str
    sell_orders_table: str
    bids_table: str
    standing_bids_table: str
    tape_table: str
    accounts_table: str
    journal_table: str
    processor_table: str
    history_table: str
    history_archive_bucket: str
    materials: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryApiEnvironment(FunctionEnvironment):
    """Variables of `functions.history_api`."""

    bids_table: str
    sell_orders_table: str
    history_table: str
    history_archive_bucket: str
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementSubmitterEnvironment(FunctionEnvironment):
    """Variables of `functions.settlement_submitter`."""

    processor_table: str
    processor_shards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderGroupsEnvironment(FunctionEnvironment):
    """What whoever gathers orders must know of their groups; `patterns.aggregator` reads most of it."""

    aggregator_table: str
    aggregator_completion: str
    aggregator_late: str
    aggregator_duplicates: str
    aggregator_lease_ms: int
    notifications_table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementEnvironment(OrderGroupsEnvironment):
    """Variables of `functions.settlement`; `patterns.processor` reads its own."""

    tape_table: str
    accounts_table: str
    journal_table: str
    processor_table: str
    processor_shards: int
    processor_lease_ms: int
    processor_max_attempts: int
    processor_retention_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierEnvironment(OrderGroupsEnvironment):
    """Variables of `functions.notifier`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsApiEnvironment(FunctionEnvironment):
    """Variables of `functions.notifications_api`."""

    notifications_table: str
    currency_digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementsApiEnvironment(FunctionEnvironment):
    """Variables of `functions.settlements_api`."""

    tape_table: str
    processor_table: str
    processor_shards: int

"""The one validated description of an environment, read from its stack configuration.

The schema in ``Pulumi.yaml`` types each key for the Pulumi engine; the rules that schema cannot state (sets, ranges,
combinations) are here, and hold for every way of running the program.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pulumi

from components.configuration import ConfigurationReader, SettingsError, project_configuration
from components.function import Start

MATERIAL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# AWS AppSync Events Developer Guide, "Core concepts". A material's channel spells out what a segment cannot have.
_LONGEST_CHANNEL_SEGMENT = 50
# Retentions CloudWatch Logs accepts (PutRetentionPolicy).
LOG_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
MAX_PRICE_MINOR = 999_999_999_999
# The variables of a Lambda function share 4 KB; the rest of them needs about 1 KB.
_MAX_MATERIALS_CHARACTERS = 3000
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ISSUER = re.compile(r"https://[^\s?#]+")


class Tracing(StrEnum):
    """Where the functions' spans go besides their logs."""

    NONE = "NONE"
    """Nowhere."""
    XRAY = "XRAY"
    """To AWS X-Ray."""


class SelfTradePrevention(StrEnum):
    """What happens when an arriving order meets a resting order of the same player."""

    CANCEL_TAKER = "CANCEL_TAKER"
    """What is left of the arriving order is cancelled."""
    CANCEL_MAKER = "CANCEL_MAKER"
    """The resting order is cancelled, the arriving one goes on."""
    CANCEL_BOTH = "CANCEL_BOTH"
    """Both are cancelled."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between environments.

    Parameters
    ----------
    environment
        Name of the stack: ``local``, ``dev``, ``staging``, ``prod`` or a name of one's own.
    materials
        What is traded, at least one, in the order the configuration gives.
    currency_digits
        Decimal digits of the currency, 0..6; a minor unit is 10^-digits.
    tick_size
        Smallest price step as a decimal string, a multiple of the minor unit.
    max_quantity
        Largest quantity of one order.
    min_order_value
        Smallest price times quantity of a limit order as a decimal string, a multiple of the minor unit; ``0``: none.
    max_open_orders
        Open orders a player may have of one side in one material, 1..200.
    maker_fee_bps, taker_fee_bps
        What resting and arriving orders pay of a trade's value, in basis points (1/100 of a percent), 0..1000.
    self_trade_prevention
        What happens when two orders of one player meet.
    log_retention_days
        How long every log group keeps its events.
    deletion_protection
        Whether tables and players survive a ``pulumi destroy``.
    point_in_time_recovery
        Whether tables can be restored to any second of the last 35 days.
    history_hot_days
        Days that versions of orders stay in DynamoDB, 7..36500; 0: for ever, and there is no archive.
    kinesis_shards
        Shards of the order stream, 1 MB/s and 1,000 orders/s each.
    enhanced_fan_out
        Whether the matcher gets its own pushed read of the order stream (about 70 ms instead of about 600 ms).
    matcher_parallelization
        Matcher invocations at a time per shard, 1..10; a material is only ever in one of them.
    express_lane
        Whether the API also puts each stored order on the order stream itself, ahead of the change stream's copy.
    live_feed
        Whether the matcher publishes what it committed to the clients' subscriptions.
    provisioned_concurrency
        Instances kept warm of each function on an order's way, 0..100; 0: none.
    snap_start
        Whether those functions start from a snapshot of their initialized state; excludes provisioned concurrency.
    tracing
        Where the functions' spans go besides their logs.
    allowed_origins
        Browser origins that may call the API; empty: no browser may.
    admin_sign_in
        Whether an operator with IAM rights may sign in as a player.
    jwt_issuer, jwt_audience
        External issuer of player tokens; both ``None`` for a Cognito pool of the environment's own.
    alarm_email
        Address that receives alarms.

    Raises
    ------
    SettingsError
        A value or a combination of values breaks a rule.
    """

    environment: str
    materials: tuple[str, ...]
    currency_digits: int
    tick_size: str
    max_quantity: int
    min_order_value: str
    max_open_orders: int
    maker_fee_bps: int
    taker_fee_bps: int
    self_trade_prevention: SelfTradePrevention
    log_retention_days: int
    deletion_protection: bool
    point_in_time_recovery: bool
    history_hot_days: int
    kinesis_shards: int
    enhanced_fan_out: bool
    matcher_parallelization: int
    express_lane: bool
    live_feed: bool
    provisioned_concurrency: int
    snap_start: bool
    tracing: Tracing
    allowed_origins: tuple[str, ...]
    admin_sign_in: bool
    jwt_issuer: str | None
    jwt_audience: str | None
    alarm_email: str | None

    def __post_init__(self) -> None:
        self._check_values()
        self._check_combinations()

    @property
    def tick_minor(self) -> int:
        """Smallest price step in minor units."""
        return int(Decimal(self.tick_size).scaleb(self.currency_digits))

    @property
    def min_order_value_minor(self) -> int:
        """Smallest value of a limit order in minor units, 0 for none."""
        return int(Decimal(self.min_order_value).scaleb(self.currency_digits))

    @property
    def order_way(self) -> Start:
        """How functions on an order's way start: whoever places an order waits for them."""
        return {
            "provisioned_concurrency": self.provisioned_concurrency,
            "snap_start": self.snap_start,
            "traced": self.tracing is Tracing.XRAY,
        }

    @property
    def placing_variables(self) -> Mapping[str, str]:
        """What a function that takes new orders must know, as environment variables."""
        return {
            "MATERIALS": ",".join(self.materials),
            "TICK_MINOR": str(self.tick_minor),
            "CURRENCY_DIGITS": str(self.currency_digits),
            "MAX_QUANTITY": str(self.max_quantity),
            "MIN_ORDER_VALUE_MINOR": str(self.min_order_value_minor),
            "MAX_OPEN_ORDERS": str(self.max_open_orders),
            "MAKER_FEE_BPS": str(self.maker_fee_bps),
            "TAKER_FEE_BPS": str(self.taker_fee_bps),
        }

    def _check_values(self) -> None:
        _check_materials(self.materials)
        _check_range("currencyDigits", self.currency_digits, 0, 6)
        _check_tick(self.tick_size, self.currency_digits)
        _check_range("maxQuantity", self.max_quantity, 1, 1_000_000_000)
        _check_money("minOrderValue", self.min_order_value, self.currency_digits)
        _check_range("maxOpenOrders", self.max_open_orders, 1, 200)
        _check_range("makerFeeBps", self.maker_fee_bps, 0, 1000)
        _check_range("takerFeeBps", self.taker_fee_bps, 0, 1000)
        if self.log_retention_days not in LOG_RETENTION_DAYS:
            allowed = ", ".join(map(str, sorted(LOG_RETENTION_DAYS)))
            raise SettingsError("logRetentionDays", self.log_retention_days, f"must be one of {allowed}")
        if self.history_hot_days:
            _check_range("historyHotDays", self.history_hot_days, 7, 36_500)
        _check_range("kinesisShards", self.kinesis_shards, 1, 500)
        _check_range("matcherParallelization", self.matcher_parallelization, 1, 10)
        _check_range("provisionedConcurrency", self.provisioned_concurrency, 0, 100)
        for origin in self.allowed_origins:
            if not _ORIGIN.fullmatch(origin):
                raise SettingsError("allowedOrigins", origin, "must be * or scheme://host[:port] without a path")
        if self.jwt_issuer is not None and not _ISSUER.fullmatch(self.jwt_issuer):
            raise SettingsError("jwtIssuer", self.jwt_issuer, "must be an https:// URL")
        if self.alarm_email is not None and not _EMAIL.fullmatch(self.alarm_email):
            raise SettingsError("alarmEmail", self.alarm_email, "must be an e-mail address")

    def _check_combinations(self) -> None:
        if "*" in self.allowed_origins and len(self.allowed_origins) > 1:
            raise SettingsError(
                "allowedOrigins", list(self.allowed_origins), "* already allows every origin: give it alone"
            )
        if (self.jwt_issuer is None) != (self.jwt_audience is None):
            key, value = (
                ("jwtIssuer", self.jwt_issuer) if self.jwt_issuer is None else ("jwtAudience", self.jwt_audience)
            )
            raise SettingsError(key, value, "jwtIssuer and jwtAudience must be given together or not at all")
        if self.jwt_issuer is not None and self.admin_sign_in:
            raise SettingsError(
                "adminSignIn", True, "must be false with an external jwtIssuer: its players are not ours"
            )
        for material in self.materials:
            if self.live_feed and len(re.sub("[^a-z0-9]", "%2d", material)) > _LONGEST_CHANNEL_SEGMENT:
                rule = f"must fit {_LONGEST_CHANNEL_SEGMENT} characters with liveFeed, each - and _ counted as three"
                raise SettingsError("materials", material, rule)
        if self.snap_start and self.provisioned_concurrency:
            # https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html, "Supported features and limitations"
            raise SettingsError(
                "snapStart", True, "must be false with provisionedConcurrency: Lambda supports one of them"
            )
        if self.environment == "prod":
            self._check_production()

    def _check_production(self) -> None:
        if not self.deletion_protection:
            raise SettingsError("deletionProtection", False, "must be true in prod")
        if not self.point_in_time_recovery:
            raise SettingsError("pointInTimeRecovery", False, "must be true in prod")
        if self.admin_sign_in:
            raise SettingsError("adminSignIn", True, "must be false in prod: nobody signs in as a player")
        if "*" in self.allowed_origins:
            raise SettingsError("allowedOrigins", "*", "must name each origin in prod")


def load_settings() -> Settings:
    """Read the settings of the current stack.

    Returns
    -------
    Settings
        Named after the stack.

    Raises
    ------
    SettingsError
        A key of this project is unknown or missing, or its value breaks a rule.
    """
    return read_settings(pulumi.get_stack(), project_configuration(pulumi.get_project()))


def read_settings(environment: str, configuration: Mapping[str, str]) -> Settings:
    """Read settings from configuration text.

    Parameters
    ----------
    environment
        Name of the stack.
    configuration
        Key without namespace → text as Pulumi passes it: strings as they are, everything else as JSON.

    Raises
    ------
    SettingsError
        A key is unknown or missing, or its value breaks a rule.
    """
    reader = ConfigurationReader(configuration)
    settings = Settings(
        environment=environment,
        materials=reader.strings("materials"),
        currency_digits=reader.integer("currencyDigits"),
        tick_size=reader.text("tickSize"),
        max_quantity=reader.integer("maxQuantity"),
        min_order_value=reader.text("minOrderValue"),
        max_open_orders=reader.integer("maxOpenOrders"),
        maker_fee_bps=reader.integer("makerFeeBps"),
        taker_fee_bps=reader.integer("takerFeeBps"),
        self_trade_prevention=_self_trade_prevention(reader.text("selfTradePrevention")),
        log_retention_days=reader.integer("logRetentionDays"),
        deletion_protection=reader.boolean("deletionProtection"),
        point_in_time_recovery=reader.boolean("pointInTimeRecovery"),
        history_hot_days=reader.integer("historyHotDays"),
        kinesis_shards=reader.integer("kinesisShards"),
        enhanced_fan_out=reader.boolean("enhancedFanOut"),
        matcher_parallelization=reader.integer("matcherParallelization"),
        express_lane=reader.boolean("expressLane"),
        live_feed=reader.boolean("liveFeed"),
        provisioned_concurrency=reader.integer("provisionedConcurrency"),
        snap_start=reader.boolean("snapStart"),
        tracing=_tracing(reader.text("tracing")),
        allowed_origins=reader.strings("allowedOrigins"),
        admin_sign_in=reader.boolean("adminSignIn"),
        jwt_issuer=reader.optional_text("jwtIssuer"),
        jwt_audience=reader.optional_text("jwtAudience"),
        alarm_email=reader.optional_text("alarmEmail"),
    )
    reader.refuse_unknown_keys()
    return settings


def _check_materials(materials: tuple[str, ...]) -> None:
    if not materials:
        raise SettingsError("materials", [], "must name at least one material")
    for position, material in enumerate(materials):
        if not MATERIAL_NAME.fullmatch(material):
            raise SettingsError("materials", material, f"each name must match {MATERIAL_NAME.pattern}")
        if material == "money":
            raise SettingsError("materials", material, "money is what materials are paid with, not one of them")
        if material in materials[:position]:
            raise SettingsError("materials", material, "each name may appear once")
    joined = ",".join(materials)
    if len(joined) > _MAX_MATERIALS_CHARACTERS:
        rule = f"the names joined by commas must fit {_MAX_MATERIALS_CHARACTERS} characters of a function's environment"
        raise SettingsError("materials", f"{len(joined)} characters", rule)


def _check_tick(tick_size: str, currency_digits: int) -> None:
    if _check_money("tickSize", tick_size, currency_digits) < 1:
        raise SettingsError("tickSize", tick_size, "must be above zero")


def _check_money(key: str, text: str, currency_digits: int) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise SettingsError(key, text, "must be a decimal number such as 0.01")
    minor = Decimal(text).scaleb(currency_digits)
    if minor != int(minor) or minor > MAX_PRICE_MINOR:
        smallest = Decimal(1).scaleb(-currency_digits)
        raise SettingsError(key, text, f"must be a multiple of {smallest}, the currency's smallest unit")
    return minor


def _tracing(text: str) -> Tracing:
    if text not in set(Tracing):
        raise SettingsError("tracing", text, f"must be one of {', '.join(Tracing)}")
    return Tracing(text)


def _self_trade_prevention(text: str) -> SelfTradePrevention:
    if text not in set(SelfTradePrevention):
        raise SettingsError("selfTradePrevention", text, f"must be one of {', '.join(SelfTradePrevention)}")
    return SelfTradePrevention(text)


def _check_range(key: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SettingsError(key, value, f"must be {low}..{high}")

"""The whole market of one environment."""

from typing import TypedDict

import pulumi

from components.accounts import Accounts
from components.alarms import AlarmTopic
from components.audit import Audit
from components.buy_pipeline import BuyPipeline
from components.expiry import Expiry
from components.history import MarketHistory
from components.http_api import HttpApi
from components.inputs import check_inputs
from components.kinesis_stream import KinesisStream
from components.live_feed import LiveFeed
from components.market_data import MarketData
from components.matching import Matching
from components.notifications import Notifications
from components.player_pool import PlayerPool
from components.quotes import Quotes
from components.sell_pipeline import SellPipeline
from components.settings import Settings
from components.settlement import Settlement


class MarketArgs(TypedDict):
    """Inputs of `Market`."""

    settings: Settings
    """Settings of the environment."""


class Market(pulumi.ComponentResource):
    """Players, accounts, API, both pipelines, matching, settlement, market data and audit, wired together."""

    players: PlayerPool
    """Issuer of player tokens."""
    api: HttpApi
    """The market's HTTP API."""
    feed: LiveFeed | None
    """What players' clients listen to; None if the environment has no live feed."""
    orders: KinesisStream
    """Stream of orders and of what players ask of them, keyed by material."""
    accounts: Accounts
    """What everybody owns, and the journal of every movement."""
    selling: SellPipeline
    """The seller's way."""
    buying: BuyPipeline
    """The buyer's way."""
    matching: Matching
    """Where asks meet bids."""
    settlement: Settlement
    """Where trades become goods and money."""
    notifications: Notifications
    """Where players are told of their complete orders."""
    data: MarketData
    """Candles, ticker and own fills."""
    history: MarketHistory
    """Every version of every order, account and settlement."""

    def __init__(self, name: str, args: MarketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Market", name, {}, opts)
        check_inputs("Market", name, args, MarketArgs)
        settings = args["settings"]
        child = pulumi.ResourceOptions(parent=self)

        alarms = AlarmTopic(f"{name}-alarms", {"email": settings.alarm_email}, child)
        players = PlayerPool(
            f"{name}-players",
            {
                "deletion_protection": settings.deletion_protection,
                "admin_sign_in": settings.admin_sign_in,
                "jwt_issuer": settings.jwt_issuer,
                "jwt_audience": settings.jwt_audience,
            },
            child,
        )
        api = HttpApi(
            f"{name}-http",
            {
                "jwt_issuer": players.jwt_issuer,
                "jwt_audience": players.jwt_audience,
                "further_jwt_audiences": [] if players.service_client_id is None else [players.service_client_id],
                "allowed_origins": settings.allowed_origins,
                "log_retention_days": settings.log_retention_days,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        feed = None
        if settings.live_feed:
            feed = LiveFeed(
                f"{name}-feed", {"settings": settings, "players": players, "alarm_topic_arn": alarms.arn}, child
            )
        orders = KinesisStream(
            f"{name}-orders", {"shards": settings.kinesis_shards, "alarm_topic_arn": alarms.arn}, child
        )
        accounts = Accounts(
            f"{name}-accounts", {"settings": settings, "api": api, "alarm_topic_arn": alarms.arn}, child
        )
        selling = SellPipeline(
            f"{name}-sell",
            {
                "settings": settings,
                "api": api,
                "orders": orders,
                "accounts": accounts.accounts,
                "journal": accounts.journal,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        buying = BuyPipeline(
            f"{name}-buy",
            {
                "settings": settings,
                "api": api,
                "orders": orders,
                "accounts": accounts.accounts,
                "journal": accounts.journal,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        matching = Matching(
            f"{name}-matching",
            {
                "settings": settings,
                "orders": orders,
                "asks": selling.asks,
                "sell_orders": selling.sell_orders,
                "bids": buying.bids,
                "feed": feed,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        # Pipes start after the matcher reads. By then IAM has spread their roles' rights too: AWS tries these when it
        # creates a pipe, and the provider does not retry there as it does for the matcher's subscription.
        selling.feed(start_after=matching.subscription_id)
        buying.feed(start_after=matching.subscription_id)
        Expiry(
            f"{name}-expiry",
            {
                "settings": settings,
                "orders": orders,
                "asks": selling.asks,
                "standing_bids": matching.standing_bids,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        notifications = Notifications(
            f"{name}-notices", {"settings": settings, "api": api, "alarm_topic_arn": alarms.arn}, child
        )
        settlement = Settlement(
            f"{name}-settlement",
            {
                "settings": settings,
                "api": api,
                "accounts": accounts.accounts,
                "journal": accounts.journal,
                "tape": matching.tape,
                "notifications": notifications,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        Quotes(
            f"{name}-quotes",
            {
                "settings": settings,
                "api": api,
                "asks": selling.asks,
                "standing_bids": matching.standing_bids,
                "tape": matching.tape,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )

        data = MarketData(
            f"{name}-data",
            {
                "settings": settings,
                "api": api,
                "tape": matching.tape,
                "journal": accounts.journal,
                "asks": selling.asks,
                "standing_bids": matching.standing_bids,
                "feed": feed,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )

        history = MarketHistory(
            f"{name}-history",
            {
                "settings": settings,
                "api": api,
                "asks": selling.asks,
                "sell_orders": selling.sell_orders,
                "bids": buying.bids,
                "accounts": accounts.accounts,
                "settlements": settlement.settlements,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )
        Audit(
            f"{name}-audit",
            {
                "settings": settings,
                "api": api,
                "asks": selling.asks,
                "sell_orders": selling.sell_orders,
                "bids": buying.bids,
                "standing_bids": matching.standing_bids,
                "tape": matching.tape,
                "accounts": accounts.accounts,
                "journal": accounts.journal,
                "settlements": settlement.settlements,
                "history": history.history,
                "alarm_topic_arn": alarms.arn,
            },
            child,
        )

        self.players = players
        self.api = api
        self.feed = feed
        self.orders = orders
        self.accounts = accounts
        self.selling = selling
        self.buying = buying
        self.matching = matching
        self.settlement = settlement
        self.notifications = notifications
        self.data = data
        self.history = history
        self.register_outputs({})

"""The market of one environment: settings in, resources out."""

import pulumi
import pulumi_aws as aws

from components.market import Market
from components.settings import load_settings

settings = load_settings()
market = Market("market", {"settings": settings})

pulumi.export("environment", settings.environment)
pulumi.export("region", aws.get_region_output().region)
pulumi.export("api_url", market.api.url)
pulumi.export("feed_http_host", None if market.feed is None else market.feed.http_host)
pulumi.export("feed_realtime_host", None if market.feed is None else market.feed.realtime_host)
pulumi.export("feed_realtime_url", None if market.feed is None else market.feed.realtime_url)
pulumi.export("materials", list(settings.materials))
pulumi.export("currency_digits", settings.currency_digits)
pulumi.export("tick_size", settings.tick_size)
pulumi.export("maker_fee_bps", settings.maker_fee_bps)
pulumi.export("taker_fee_bps", settings.taker_fee_bps)
for key, table in {
    "asks": market.selling.asks,
    "sell_orders": market.selling.sell_orders,
    "bids": market.buying.bids,
    "standing_bids": market.matching.standing_bids,
    "tape": market.matching.tape,
    "accounts": market.accounts.accounts,
    "journal": market.accounts.journal,
    "notifications": market.notifications.notifications,
    "candles": market.data.candles,
}.items():
    pulumi.export(f"{key}_table_name", table.table_name)
    pulumi.export(f"{key}_table_arn", table.arn)
pulumi.export("settlements_table_name", market.settlement.settlements.table_name)
pulumi.export("settlements_table_arn", market.settlement.settlements.table_arn)
pulumi.export("history_table_name", market.history.history.history_table_name)
pulumi.export("history_table_arn", market.history.history.history_table_arn)
pulumi.export("orders_stream_name", market.orders.stream_name)
pulumi.export("orders_stream_arn", market.orders.arn)
pulumi.export("player_pool_id", market.players.pool_id)
pulumi.export("player_pool_client_id", market.players.client_id)
pulumi.export("jwt_issuer", market.players.jwt_issuer)
pulumi.export("service_client_id", market.players.service_client_id)
pulumi.export("token_url", market.players.token_url)
pulumi.export("matcher_function_name", market.matching.matcher_function_name)
pulumi.export("parked_records_queue_url", market.matching.parked_records_queue_url)
pulumi.export("failed_batches_queue_url", market.matching.failed_batches_queue_url)

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
pulumi.export("materials", list(settings.materials))
pulumi.export("currency_digits", settings.currency_digits)
pulumi.export("tick_size", settings.tick_size)
for key, table in {
    "asks": market.selling.asks,
    "sell_orders": market.selling.sell_orders,
    "bids": market.buying.bids,
    "standing_bids": market.matching.standing_bids,
    "tape": market.matching.tape,
}.items():
    pulumi.export(f"{key}_table_name", table.table_name)
    pulumi.export(f"{key}_table_arn", table.arn)
pulumi.export("history_table_name", market.history.history_table_name)
pulumi.export("history_table_arn", market.history.history_table_arn)
pulumi.export("orders_stream_name", market.orders.stream_name)
pulumi.export("orders_stream_arn", market.orders.arn)
pulumi.export("player_pool_id", market.players.pool_id)
pulumi.export("player_pool_client_id", market.players.client_id)
pulumi.export("jwt_issuer", market.players.jwt_issuer)
pulumi.export("matcher_function_name", market.matching.matcher_function_name)
pulumi.export("parked_records_queue_url", market.matching.parked_records_queue_url)
pulumi.export("failed_batches_queue_url", market.matching.failed_batches_queue_url)

"""Environment variables of the functions under test; tables are named as the world names them."""

from __future__ import annotations

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "market-data-under-test",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "ENVIRONMENT": "test",
    "CANDLES_TABLE": "candles",
    "ASKS_TABLE": "asks",
    "STANDING_BIDS_TABLE": "standing-bids",
    "TAPE_TABLE": "tape",
    "JOURNAL_TABLE": "journal",
    "MATERIALS": "copper,wheat",
    "CURRENCY_DIGITS": "2",
    "PERIODIC_AGGREGATOR_TABLE": "minutes",
    "PERIODIC_AGGREGATOR_WIDTH_MS": "60000",
    "PERIODIC_AGGREGATOR_GRACE_MS": "5000",
    "PERIODIC_AGGREGATOR_LATE": "REOPEN",
    "PERIODIC_AGGREGATOR_SHARDS": "1",
    "PERIODIC_AGGREGATOR_LEASE_MS": "65000",
    "PERIODIC_AGGREGATOR_RETENTION_MS": "604800000",
}

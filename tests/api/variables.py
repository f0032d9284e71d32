"""Environment variables of the functions under test."""

from __future__ import annotations

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "api-under-test",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "ENVIRONMENT": "test",
    "ASKS_TABLE": "asks",
    "SELL_ORDERS_TABLE": "sell-orders",
    "BIDS_TABLE": "bids",
    "STANDING_BIDS_TABLE": "standing-bids",
    "TAPE_TABLE": "tape",
    "HISTORY_TABLE": "history",
    "HISTORY_ARCHIVE_BUCKET": "-",
    "MATERIALS": "copper,wheat",
    "TICK_MINOR": "5",
    "CURRENCY_DIGITS": "2",
    "MAX_QUANTITY": "1000000",
    "MIN_ORDER_VALUE_MINOR": "0",
    "MAX_OPEN_ORDERS": "200",
    "MAKER_FEE_BPS": "10",
    "TAKER_FEE_BPS": "20",
    "ACCOUNTS_TABLE": "accounts",
    "JOURNAL_TABLE": "journal",
}

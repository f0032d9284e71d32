"""Environment variables of the functions under test; tables are named as the world names them."""

from __future__ import annotations

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "settlement-under-test",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "ENVIRONMENT": "test",
    "TAPE_TABLE": "tape",
    "ACCOUNTS_TABLE": "accounts",
    "JOURNAL_TABLE": "journal",
    "NOTIFICATIONS_TABLE": "notifications",
    "CURRENCY_DIGITS": "2",
    "PROCESSOR_TABLE": "settlements",
    "PROCESSOR_SHARDS": "2",
    "PROCESSOR_LEASE_MS": "65000",
    "PROCESSOR_MAX_ATTEMPTS": "5",
    "PROCESSOR_RETENTION_MS": "0",
    "AGGREGATOR_TABLE": "groups",
    "AGGREGATOR_COMPLETION": "predicate",
    "AGGREGATOR_LATE": "DROP",
    "AGGREGATOR_DUPLICATES": "KEEP_FIRST",
    "AGGREGATOR_LEASE_MS": "35000",
}

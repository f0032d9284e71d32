"""Environment variables of the function under test."""

from __future__ import annotations

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "accounts-under-test",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "ENVIRONMENT": "test",
    "ACCOUNTS_TABLE": "accounts",
    "JOURNAL_TABLE": "journal",
    "MATERIALS": "copper,wheat",
    "CURRENCY_DIGITS": "2",
}

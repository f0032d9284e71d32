"""Environment variables of the functions under test."""

from __future__ import annotations

from tests.api.variables import VARIABLES as API_VARIABLES

VARIABLES = API_VARIABLES | {
    "POWERTOOLS_SERVICE_NAME": "audit-under-test",
    "NOTIFICATIONS_TABLE": "notifications",
    "PROCESSOR_TABLE": "settlements",
    "PROCESSOR_SHARDS": "2",
    "HISTORY_SOURCE": "bids",
    "HISTORY_HASH_KEY": "buyer",
    "HISTORY_RANGE_KEY": "order_key",
    "HISTORY_HOT_DAYS": "0",
}

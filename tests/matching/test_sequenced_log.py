"""The log under the tape: numbers without gaps, one winner for each, and reading on from anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from patterns.sequenced_log import SequencedLog
from tests.matching.market_on_moto import TABLES

if TYPE_CHECKING:
    from tests.matching.market_on_moto import MarketOnMoto


def test_each_number_is_appended_once_and_read_in_order(market: MarketOnMoto) -> None:
    log = SequencedLog(market.client, TABLES.tape, partition_key="material")
    assert log.head("copper") == 0
    for sequence in range(1, 13):
        market.client.transact_write_items(
            TransactItems=[log.append_action("copper", sequence, {"note": f"entry {sequence}"})]
        )
        assert log.head("copper") == sequence
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        market.client.transact_write_items(TransactItems=[log.append_action("copper", 12, {"note": "late"})])
    assert [entry["note"] for entry in log.after("copper", 9)] == ["entry 10", "entry 11", "entry 12"]
    assert list(log.after("copper", 12)) == []
    assert log.head("wheat") == 0


def test_reading_goes_on_beyond_a_page(market: MarketOnMoto) -> None:
    log = SequencedLog(market.client, TABLES.tape, partition_key="material")
    for sequence in range(1, 8):  # a page has 1 MB
        market.client.transact_write_items(
            TransactItems=[log.append_action("copper", sequence, {"note": "x" * 300_000})]
        )
    assert [entry["sequence"] for entry in log.after("copper", 1)] == [2, 3, 4, 5, 6, 7]

"""What an operator sees of the event delivery while the market runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.end_to_end.conftest import eventually

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Market


def test_delivery_counts_what_each_reader_has_read(market: Market) -> None:
    def records() -> dict[str, int]:
        return {mapping.name: mapping.records for mapping in market.files.find_delivery()}

    eventually(records, lambda counted: len(counted) == 5)  # a pipe and a recorder for each side, and the matcher
    before = records()
    market.handled_bid("bob", market.buy("bob", "stone", 1, "1.00"))

    readers = {"market-buy-bids-to-orders-pipe", "market-orders-to-matching-matcher-mapping"}
    eventually(records, lambda after: readers <= {name for name in after if after[name] > before[name]})

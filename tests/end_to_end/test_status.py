"""What an operator sees of the event delivery while the market runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.end_to_end.conftest import eventually

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Market


def test_delivery_counts_what_each_reader_has_read(market: Market) -> None:
    def records() -> dict[str, int]:
        return {mapping.name: mapping.records for mapping in market.files.find_delivery()}

    readers = {"market-buy-bids-to-orders-pipe", "market-orders-to-matching-matcher-mapping"}
    before = eventually(records, lambda counted: readers <= counted.keys())
    market.handled_bid("bob", market.buy("bob", "stone", 1, "1.00"))

    eventually(records, lambda after: readers <= {name for name in after if after[name] > before.get(name, 0)})

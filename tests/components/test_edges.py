"""The names of edges: both ends, and what they have in common said once."""

from __future__ import annotations

import pytest

from components.edges import edge_name


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        ("shop-orders", "shop-fulfilment", "shop-orders-to-fulfilment"),
        ("shop-orders", "shop-orders-archive", "shop-orders-to-archive"),
        ("shop-eu-orders", "shop-eu-fulfilment-packer", "shop-eu-orders-to-fulfilment-packer"),
        ("orders", "fulfilment", "orders-to-fulfilment"),
        # Half a word in common is nothing in common.
        ("shop-orders", "shopping-list", "shop-orders-to-shopping-list"),
        # Only what both begin with.
        ("shop-orders", "new-orders", "shop-orders-to-new-orders"),
        # The target keeps its last word, whatever it is.
        ("shop", "shop", "shop-to-shop"),
        ("shop-orders", "shop", "shop-orders-to-shop"),
        ("shop-orders", "shop-orders", "shop-orders-to-orders"),
    ],
)
def test_an_edge_is_named_by_both_ends(source: str, target: str, name: str) -> None:
    assert edge_name(source, target) == name

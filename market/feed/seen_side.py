"""One side of a book as far as it was read, kept up to date with what is committed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.matching.order_book import DepthLevel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from market.tables import RestingOrder


class SeenSide:
    """Resting orders of one side, best first, from the best one to the last one that was read.

    Behind that one nothing is known, until a page is the last.
    """

    def __init__(self) -> None:
        self.complete = False
        self._rows: dict[str, RestingOrder] = {}  # by price key
        self._last_key = ""

    def see(self, page: Iterable[RestingOrder], *, complete: bool) -> None:
        """Take in the next page of stored orders, in their order; `complete` if there are no further ones."""
        for row in page:
            self._rows[row.price_key] = row
            self._last_key = row.price_key
        self.complete = complete

    def change(self, before: RestingOrder | None, after: RestingOrder | None) -> None:
        """Take in what a commit made of an order; None where it does not rest."""
        if after is not None:
            self._rows[after.price_key] = after
        elif before is not None:
            self._rows.pop(before.price_key, None)

    def find(self, price_key: str) -> RestingOrder | None:
        """Return an order that was seen and rests, by its place."""
        return self._rows.get(price_key)

    def reaches(self, price_key: str) -> bool:
        """Whether everything at a place is known."""
        return self.complete or price_key <= self._last_key

    def levels(self, most: int, now_ms: int) -> tuple[list[DepthLevel], bool]:
        """Return the best price levels, and whether there are no others.

        Left out is what nobody can trade with: orders past their time, and what is left of one that may only trade at
        once. Of the price that reading ended at there may be further orders: it is left out as well.

        Parameters
        ----------
        most
            Levels to return.
        now_ms
            Epoch ms; orders that expire at it or before are left out.
        """
        levels: list[DepthLevel] = []
        for key in sorted(self._rows):
            if not self.complete and _price(key) >= _price(self._last_key):
                return levels, False
            row = self._rows[key]
            if row.immediate or (row.expires_at_ms is not None and row.expires_at_ms <= now_ms):
                continue
            if levels and levels[-1].price_minor == row.price_minor:
                level = levels[-1]
                levels[-1] = DepthLevel(row.price_minor, level.quantity + row.remaining, level.orders + 1)
            elif len(levels) == most:
                return levels, False
            else:
                levels.append(DepthLevel(row.price_minor, row.remaining, 1))
        return levels, self.complete


def _price(price_key: str) -> str:
    return price_key.partition("#")[0]

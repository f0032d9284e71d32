"""Which rows are which kind of order, for `isinstance`: a union written there is made anew on every call."""

from __future__ import annotations

from typing import Final

from market.tables import Bid, OpenAsk, SellOrder, StandingBid

ARRIVING: Final = (Bid, SellOrder)
RESTING: Final = (OpenAsk, StandingBid)
SELLING: Final = (OpenAsk, SellOrder)
BUYING: Final = (Bid, StandingBid)

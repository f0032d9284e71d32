"""Commits of the tape as a matcher writes them, in the shapes of a quiet and of a busy market."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from functions.clock import now_ms
from market.side import Side
from market.tape import Closing, TapeCommit, TapeOrder, TradeFill

if TYPE_CHECKING:
    from collections.abc import Iterator

PRICE_MINOR = 1250
FEE_MINOR = 2


@dataclass(frozen=True, slots=True)
class Workload:
    """Commits of so many bids of one unit on so many asks; each ask takes `commits_an_ask` commits to sell out."""

    name: str
    commits: int
    bids: int
    asks: int
    commits_an_ask: int = 1

    @property
    def trades(self) -> int:
        """Trades in all."""
        return self.commits * self.bids

    def tape(self, material: str, seller: str | None = None) -> Iterator[TapeCommit]:
        """Yield the commits; every order is another player's, unless one sells everything."""
        units = self.bids // self.asks
        for number in range(self.commits):
            turn = number // self.commits_an_ask
            last = number % self.commits_an_ask == self.commits_an_ask - 1
            fills: list[TradeFill] = []
            for bid in range(self.bids):
                ask = bid // units
                bid_id, ask_id = _id(material, "bid", number, bid), _id(material, "ask", turn, ask)
                buyer, owner = _id("buyer", bid_id), seller or _id("seller", ask_id)
                fills.append(
                    TradeFill(bid + 1, bid_id, buyer, ask_id, owner, PRICE_MINOR, 1, Side.BUY, FEE_MINOR, FEE_MINOR)
                )
            filled = Closing("FILLED", None, 1, 0)
            sold = Closing("FILLED", None, units * self.commits_an_ask, 0) if last else None
            bids = [TapeOrder(f.bid_id, f.buyer, Side.BUY, PRICE_MINOR + FEE_MINOR, filled) for f in fills]
            asks = {f.ask_id: TapeOrder(f.ask_id, f.seller, Side.SELL, units, sold) for f in fills}
            yield TapeCommit(material, number + 1, now_ms(), now_ms(), tuple(fills), (*bids, *asks.values()))


def _id(*of: object) -> str:
    digits = f"{Random(repr(of)).getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

"""The promises by name, and how a broken one is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Invariant(Enum):
    """The promises, each with the words a report shows."""

    ASK_SUM = "an ask's quantity is what it sold, what was withdrawn and what is open"
    ASK_STATUS = "an ask's status agrees with its sums"
    ASK_OPEN = "an ask in the book has something left to sell"
    ASK_RECORD = "an ask in the book agrees with its seller's order"
    BID_SUM = "a bid's quantity is what it bought, what was withdrawn and what is open"
    BID_STATUS = "a bid's status agrees with its sums"
    BID_STANDS = "a bid stands exactly while it is open, for what it still wants"
    CLOSING = "the tape says once how an order closed, as its record does"
    HOLD = "what was held for an order is held, or released, once"
    GOODS = "goods bought are goods sold"
    MONEY = "money paid is money received"
    TRADE_ORDERS = "a trade joins a known bid and a known ask of its material and their owners"
    TRADE_ONCE = "two orders trade with each other once"
    SELF_TRADE = "nobody trades with themselves"
    PRICE_LIMIT = "a trade's price is within both limits"
    RESTING_PRICE = "a trade's price is the resting order's"
    FEES = "buyer and seller pay the rate for resting or for arriving, a buyer at most the bid's own"
    TAKES_FIRST = "an order takes when it arrives and rests afterwards"
    IMMEDIATE = "an order that may only trade at once never rests"
    ALL_OR_NOTHING = "a fill-or-kill order trades completely, in one commit, or not at all"
    POST_ONLY = "a post-only order never takes"
    EXPIRY = "an order trades before its time is over, and expires only then"
    TAPE_SEQUENCE = "a tape is numbered 1, 2, 3 … without gaps, and so are the trades of a commit"
    PRIORITY = "the best-priced, oldest resting order trades first"
    NOT_CROSSED = "a quiet book is not crossed"
    HANDLED = "a quiet market has handled every order and every request"
    ENTRY_SUM = "a journal entry sums to zero for each asset"
    CAUSE_SUM = "what one cause clears sums to zero over all accounts"
    JOURNAL = "an account is the sum of its journal"
    NOT_NEGATIVE = "no account is below zero"
    DEPOSITED = "goods and money in all accounts are what was deposited and not withdrawn"
    PLACED = "placing an order holds what its record says, once"
    SETTLED = "a commit is settled once, for what the tape says"
    HELD = "what is held is what open orders need and what is not settled"
    OPEN_ORDERS = "an account's open orders are the open ones"
    NOTIFIED = "a closed order has one notification, which says what it came to"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise: where, about what (an order, a trade, an account), what should be there and what is.

    `material` is the asset where it is about an account.
    """

    invariant: Invariant
    material: str
    order_id: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.invariant.value}: {self.material} {self.order_id}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a check.

    Attributes
    ----------
    violations
        Every broken promise found, in the order of `Invariant`.
    pending_ids
        Orders the matcher has not handled yet; no violation unless the market was said to be quiet.
    """

    violations: tuple[Violation, ...]
    pending_ids: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.violations

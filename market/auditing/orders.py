"""What an audit derives of single orders from the tape, and compares with their records and the book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from market.auditing.settlement import Finding, FindingKind
from market.tables import Bid, OpenAsk, SellOrder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from market.tables import StandingBid
    from market.tape import Closing, TapeCommit

_OPEN = ("PENDING", "NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class Trail:
    """What the tape says of an order: units traded, and how it closed; None while it is open."""

    filled: int = 0
    closed: Closing | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the order closed and its sum is whole: no further commit can have touched it."""
        return self.closed is not None and self.closed.quantity == self.filled + self.closed.withdrawn

    def followed(self, order_id: str, commits: Iterable[TapeCommit]) -> Trail:
        """Return the trail after further commits."""
        filled, closed = self.filled, self.closed
        for commit in commits:
            filled += sum(fill.quantity for fill in commit.fills if order_id in (fill.bid_id, fill.ask_id))
            for order in commit.orders:
                if order.order_id == order_id and order.closed is not None:
                    closed = order.closed
        return Trail(filled, closed)


def is_open(record: Bid | SellOrder, resting: OpenAsk | StandingBid | None) -> bool:
    """Whether an order is open by its record and, for an ask that the record does not tell of, the book."""
    if record.status is None:
        return resting is not None
    return record.status in _OPEN


def hold_of(record: Bid | SellOrder, resting: OpenAsk | StandingBid | None) -> int | None:
    """Return what an order must hold at this moment: units of an ask, minor units of a bid; None if it is not open."""
    if not is_open(record, resting):
        return None
    if isinstance(record, SellOrder):
        return _ask_hold(record, resting)
    if record.status == "PENDING":
        return record.hold if record.hold is not None else _bid_hold(record, record.quantity)
    if resting is not None and not isinstance(resting, OpenAsk) and resting.budget_minor is not None:
        return resting.budget_minor
    return _bid_hold(record, record.quantity - record.filled)


def check_order(
    record: Bid | SellOrder, resting: OpenAsk | StandingBid | None, trail: Trail, *, counted: bool
) -> Iterator[Finding]:
    """Compare an order's record with the tape and the book.

    Parameters
    ----------
    record
        The player's record.
    resting
        The order's item of the book; None without one.
    trail
        What all commits say of it.
    counted
        Whether its account counts it as open.
    """
    order_id = order_id_of(record)
    subject = f"order {order_id}"
    if record.filled is not None and record.filled != trail.filled:
        yield Finding(FindingKind.FILLED, subject, f"{trail.filled} filled", str(record.filled))
    expected, found = _ending(record, resting, trail), (record.status, record.reason)
    if isinstance(record, SellOrder) and record.status is None:
        found = (_ask_status(record, resting), None)
    if expected != found:
        yield Finding(FindingKind.STATUS, subject, _words(*expected), _words(*found))
    if trail.closed is not None:
        total = trail.filled + trail.closed.withdrawn
        if not record.quantity == trail.closed.quantity == total:
            rule = f"{trail.closed.quantity} in all, {trail.filled} filled and {trail.closed.withdrawn} withdrawn"
            yield Finding(FindingKind.FILLED, subject, rule, f"{record.quantity} in all")
    yield from _check_resting(record, resting, trail.filled)
    if is_open(record, resting) and not counted:
        yield Finding(FindingKind.ORDER_WITHOUT_HOLD, subject, "counted as open by its account", "not counted")


def check_resting(
    resting: OpenAsk | StandingBid, record: Bid | SellOrder | None, *, counted: bool
) -> Iterator[Finding]:
    """Compare an item of the book with its order's record and account."""
    order_id = resting.ask_id if isinstance(resting, OpenAsk) else resting.bid_id
    subject = f"order {order_id}"
    if record is None:
        yield Finding(FindingKind.BOOK, subject, "a record of every order in the book", "none")
    else:
        yield from _check_resting(record, resting, None)
    if not counted:
        yield Finding(FindingKind.ORDER_WITHOUT_HOLD, subject, "counted as open by its account", "not counted")


def order_id_of(record: Bid | SellOrder) -> str:
    """Return the order's id."""
    return record.ask_id if isinstance(record, SellOrder) else record.bid_id


def _ending(
    record: Bid | SellOrder, resting: OpenAsk | StandingBid | None, trail: Trail
) -> tuple[str | None, str | None]:
    """Status and reason that follow from the tape."""
    if trail.closed is not None:
        return trail.closed.status, trail.closed.reason
    if trail.filled:
        return "PARTIALLY_FILLED", None
    # Nothing is on the tape of an order that has only waited.
    return ("PENDING" if record.status == "PENDING" and resting is None else "NEW"), None


def _ask_status(record: SellOrder, resting: OpenAsk | StandingBid | None) -> str:
    if resting is None:
        return "FILLED"
    return "NEW" if resting.remaining == record.quantity else "PARTIALLY_FILLED"


def _check_resting(
    record: Bid | SellOrder, resting: OpenAsk | StandingBid | None, filled: int | None
) -> Iterator[Finding]:
    subject = f"order {order_id_of(record)}"
    rests = is_open(record, resting) and record.status != "PENDING"
    if resting is None:
        if rests:
            yield Finding(FindingKind.BOOK, subject, f"{record.status} in the book", "not there")
        return
    if not rests:
        yield Finding(FindingKind.BOOK, subject, f"{record.status} not in the book", f"{resting.remaining} remaining")
        return
    owner = record.seller if isinstance(record, SellOrder) else record.buyer
    holder = resting.seller if isinstance(resting, OpenAsk) else resting.buyer
    known = record.filled if filled is None else filled
    remaining = resting.remaining if known is None else record.quantity - known
    expected = (owner, record.material, record.price_minor, record.quantity, remaining)
    found = (holder, resting.material, resting.price_minor, resting.quantity, resting.remaining)
    if expected != found or not 0 < resting.remaining <= resting.quantity:
        yield Finding(FindingKind.BOOK, subject, _terms(expected), _terms(found))


def _terms(terms: tuple[str, str, int, int, int]) -> str:
    owner, material, price_minor, quantity, remaining = terms
    return f"{remaining} of {quantity} {material} at {price_minor} of {owner}"


def _ask_hold(record: SellOrder, resting: OpenAsk | StandingBid | None) -> int:
    if resting is not None:
        return resting.remaining
    return record.quantity if record.hold is None else record.hold


def _bid_hold(record: Bid, units: int) -> int:
    value_minor = record.price_minor * units
    return value_minor + value_minor * (record.fee_bps or 0) // 10_000


def _words(status: str | None, reason: str | None) -> str:
    return f"{status} ({reason})" if reason else str(status)

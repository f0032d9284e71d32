"""The check of all promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.invariants import account_books, account_orders, arrivals, books, orders, priority, trades
from market.invariants.findings import Invariant, Verdict
from market.invariants.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from market.accounts.rows import AccountTables
    from market.fees import Fees
    from market.invariants.findings import Violation
    from market.whole_tables import MarketTables

_ALWAYS: tuple[Callable[[Records], Iterator[Violation]], ...] = (
    orders.check_asks,
    orders.check_bids,
    orders.check_closings,
    orders.check_holds,
    trades.check_sums,
    trades.check_pairs,
    trades.check_prices,
    trades.check_fees,
    trades.check_sequences,
    arrivals.check_takers,
    arrivals.check_immediate,
    arrivals.check_expiry,
    priority.check_priority,
)
_WHEN_QUIET = (books.check_crossing, books.check_handled)


def check_invariants(
    tables: MarketTables,
    *,
    quiet: bool = False,
    stored_by_ms: Mapping[str, int] | None = None,
    fees: Fees | None = None,
    accounts: AccountTables | None = None,
) -> Verdict:
    """Recompute every invariant.

    Parameters
    ----------
    tables
        Orders and trades, read while nothing changed (or with reads that are consistent with each other).
    quiet
        True if all there is to do was done: no order is pending, half matched or has an unanswered request, no book is
        crossed; with `accounts`, every commit is settled and every player told of every closed order.
    stored_by_ms
        Ask id to a time (epoch ms, on the clock of the matcher) by which the ask was certainly stored, for example when
        the client had its answer. Asks without one count as stored `STORING_LIMIT_MS` after they were placed.
    fees
        The rates that all trades were made at. None if they are not known, or have changed: then fees are only known
        to be at most what a bid was placed with.
    accounts
        Accounts, journal, settlements and notifications, read together with `tables`; None leaves their rules out.

    Returns
    -------
    Verdict
        Everything found; an empty `violations` means that the market is sound.
    """
    records = Records.of(tables, stored_by_ms or {}, fees)
    found = [violation for check in _ALWAYS for violation in check(records)]
    if quiet:
        found += [violation for check in _WHEN_QUIET for violation in check(records)]
    if accounts is not None:
        found += account_books.check_books(accounts)
        found += account_orders.check_orders(records, accounts, quiet=quiet)
    order = list(Invariant)
    return Verdict(
        violations=tuple(sorted(found, key=lambda violation: order.index(violation.invariant))),
        pending_ids=tuple(
            [bid.bid_id for bid in tables.bids if bid.status == "PENDING"]
            + [ask.ask_id for ask in tables.sell_orders if ask.status == "PENDING"]
        ),
    )

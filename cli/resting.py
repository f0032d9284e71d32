"""Waiting until a market has nothing left to do, and reading its tables then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cli.failures import UnsoundMarketError
from market.invariants import Invariant, check_invariants

if TYPE_CHECKING:
    from collections.abc import Callable

    from market.accounts.rows import AccountTables
    from market.whole_tables import MarketTables

RESTING_LIMIT_S = 120
"""How long the tables may stay unchanged, with work left, before the market counts as stuck. Orders that are past their
time are looked for each minute."""

_POLL_S = 1.0
_UNFINISHED = (
    Invariant.HANDLED,
    Invariant.NOT_CROSSED,
    Invariant.SETTLED,
    Invariant.OPEN_ORDERS,
    Invariant.NOTIFIED,
)


class Picture(NamedTuple):
    """All tables, read one after the other: consistent in itself only when the market is quiet."""

    orders: MarketTables
    accounts: AccountTables


def wait_until_quiet(read: Callable[[], Picture], *, limit_s: float = RESTING_LIMIT_S) -> Picture:
    """Wait until every order is handled, settled and told of, and nothing changes any more.

    Parameters
    ----------
    read
        Reads the tables.
    limit_s
        Seconds without any change after which a market that is not at rest counts as stuck.

    Returns
    -------
    Picture
        The tables at rest.

    Raises
    ------
    UnsoundMarketError
        The market is stuck: what is still to be done.
    """
    before = read()
    changed_at = time.monotonic()
    while True:
        time.sleep(min(_POLL_S, limit_s))
        now = read()
        if now != before:
            before, changed_at = now, time.monotonic()
            continue
        left = unfinished(now, time.time_ns() // 1_000_000)
        if not left:
            return now
        if time.monotonic() - changed_at > limit_s:
            raise UnsoundMarketError(
                f"the market does not come to rest: nothing changed for {limit_s:.0f} s, yet {len(left)} things are to "
                f"be done; the first: {left[0]}"
            )


def unfinished(picture: Picture, now_ms: int) -> list[str]:
    """Name what a market has yet to do at a time, epoch ms."""
    verdict = check_invariants(picture.orders, quiet=True, accounts=picture.accounts)
    left = [str(violation) for violation in verdict.violations if violation.invariant in _UNFINISHED]
    resting = [(ask.ask_id, ask.expires_at_ms) for ask in picture.orders.asks]
    resting += [(bid.bid_id, bid.expires_at_ms) for bid in picture.orders.standing_bids]
    left += [
        f"order {order_id} is open past its time"
        for order_id, expires_at_ms in resting
        if expires_at_ms is not None and expires_at_ms <= now_ms
    ]
    return left

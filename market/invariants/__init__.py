"""What must be true of the market's tables, recomputed from their plain contents alone.

Nothing here shares code or state with the matcher or the accounts: every sum is taken again from the trades and
closings on the tape, accounts are compared with the journal and with the tape, and priority is checked by replaying the
tape against a book of its own. A valid market gives no violation whatever the timing was. Where the tables cannot show
what the matcher could know, a rule is silent rather than wrong: see `market.invariants.priority`.
"""

from market.invariants.check import check_invariants
from market.invariants.conservation import AssetTotals, asset_totals
from market.invariants.findings import Invariant, Verdict, Violation
from market.invariants.priority import STORING_LIMIT_MS

__all__ = [
    "STORING_LIMIT_MS",
    "AssetTotals",
    "Invariant",
    "Verdict",
    "Violation",
    "asset_totals",
    "check_invariants",
]

"""Second copies: with an express lane each record comes twice, and the second must cost next to nothing.

What this process remembers is dropped unread. Of what it does not (it has just started, or the express lane lost the
first copy) the stored statuses are asked for, half a read unit each: once an order is not PENDING it never is again,
once it is closed nothing can be asked of it, so even an old answer never drops what is still to be done.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.matching.named_orders import CLOSED_STATUSES
from functions.matching.records import NewAsk, NewOrder
from functions.matching.tables import UnprocessedKeysError, stored_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.matching.matcher import Matcher
    from functions.matching.records import Arrival, NamedOrder

MOST_REMEMBERED: Final = 20_000
"""Ids, at 200 bytes each 4 MB. The second copy comes a second or two after the first: enough for 5,000 orders/s."""

_MAYBE_CUT: Final = ("PARTIALLY_FILLED", None)
"""Statuses that the first commit of a sweep leaves; None of an ask, whose status is what the book says."""


class HandledMemory:
    """Ids of what needs no work any more, the latest `most` of them.

    Forgetting costs a read, never an order; remembering what is not done would lose one. So an id goes in only after
    the write that handles it is known to be stored, or after it was found stored. Not for several threads at a time.

    Parameters
    ----------
    most
        Ids to remember.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._ids: dict[str, None] = {}  # in order of remembering

    def __contains__(self, handled_id: object) -> bool:
        return handled_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def remember(self, ids: Iterable[str]) -> None:
        """Take in ids of orders that are handled, of plain asks that were looked at, of requests that were met."""
        self._ids |= dict.fromkeys(ids)
        for oldest in list(islice(self._ids, max(len(self._ids) - self._most, 0))):
            del self._ids[oldest]


def handled_already(arrivals: Iterable[Arrival], matcher: Matcher) -> dict[str, bool]:
    """Tell which records of a batch need no work.

    Parameters
    ----------
    arrivals
        All of the batch.
    matcher
        Its memory learns what was found.

    Returns
    -------
    dict[str, bool]
        Their `handled_id`; False of an order whose material has to be looked at: a sweep over several commits may have
        been cut short after the first. A plain ask that is not remembered is not among them: whether it was looked at
        no table says.
    """
    memory = matcher.memory
    handled: dict[str, bool] = {}
    by_pipe: dict[str, NewOrder | NamedOrder] = {}
    by_express: set[str] = set()
    for arrival in arrivals:
        handled_id = arrival.handled_id
        if handled_id is None:
            continue
        if handled_id in memory:
            handled[handled_id] = True
        elif not arrival.trace.by_pipe:
            by_express.add(handled_id)
        elif not isinstance(arrival, NewAsk):
            by_pipe[handled_id] = arrival if isinstance(arrival, NewOrder) else arrival.orders[0]
    unknown = {handled_id: order for handled_id, order in by_pipe.items() if handled_id not in by_express}
    if matcher.express_lane and unknown:
        found = _found_handled(unknown, matcher)
        memory.remember(handled_id for handled_id, is_done in found.items() if is_done)
        handled |= found
    return handled


def _found_handled(unknown: dict[str, NewOrder | NamedOrder], matcher: Matcher) -> dict[str, bool]:
    named = {handled_id: order.named if isinstance(order, NewOrder) else order for handled_id, order in unknown.items()}
    keys = {
        handled_id: matcher.tables.order_key(order.side, order.player, order.order_id)
        for handled_id, order in named.items()
    }
    try:
        statuses = stored_statuses(matcher.client, keys.values())
    except (ClientError, BotoCoreError, UnprocessedKeysError):
        return {}  # it only saves work: each commit's conditions find out as well
    return {
        handled_id: statuses[key] not in _MAYBE_CUT
        for handled_id, key in keys.items()
        if key in statuses and _is_handled(unknown[handled_id], statuses[key])
    }


def _is_handled(order: NewOrder | NamedOrder, status: str | None) -> bool:
    return status != "PENDING" if isinstance(order, NewOrder) else status in CLOSED_STATUSES

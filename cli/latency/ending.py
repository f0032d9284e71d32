"""The end of a run: waiting until every client has heard of everything, and whether the books they hold are true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cli.failures import CommandFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.latency.clients import Clients
    from cli.latency.receipts import Receipts
    from cli.latency.sending import Sent

_SILENCE_S: Final = 10.0  # when so long nothing more was heard, what is missing is lost
_LONGEST_WAIT_S: Final = 120.0
_STILL_WRONG_S: Final = 5.0
_POLL_S: Final = 0.05


def wait_for_receipts(
    receipts: Receipts, sent: Sequence[Sent], own_clients: Sequence[str], watchers: Sequence[str]
) -> None:
    """Return when every client has heard of everything that was accepted, or nothing more of it has come for long.

    A market that lags behind is late, not lossy: it is waited for as long as it gets on, within a limit.
    """
    open_ends = [one for one in sent if one.order_id is not None]
    started_s = heard_s = time.monotonic()
    while open_ends and time.monotonic() < min(heard_s + _SILENCE_S, started_s + _LONGEST_WAIT_S):
        time.sleep(_POLL_S)
        left = [
            one
            for one in open_ends
            if not receipts.reached(one.trace_id, one.order_id, (own_clients[one.planned.player], *watchers))
        ]
        if len(left) < len(open_ends):
            heard_s = time.monotonic()
        open_ends = left


def wrong_books_of(clients: Clients, troubles: list[str]) -> list[str]:
    """Return what clients have wrong about the books, and nothing has come for long that could have put it right.

    Others may trade meanwhile, so that a book is always a message behind: this is no fault.
    """
    deadline_s = time.monotonic() + _SILENCE_S
    since_s: dict[object, float] = {}
    try:
        while wrong := clients.wrong_books():
            now_s = time.monotonic()
            since_s = {known: since_s.get(known, now_s) for known in wrong}
            if now_s >= deadline_s:
                return [fault for known, fault in wrong.items() if now_s - since_s[known] >= _STILL_WRONG_S]
            time.sleep(10 * _POLL_S)
    except CommandFailedError as failure:
        troubles.append(f"clients' books were not compared with the market's: {failure}")
    return []

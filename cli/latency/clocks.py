"""How the client's clock and the servers' stand to each other, estimated from the requests themselves as NTP does.

A client measures on one monotonic clock, which is never set: milliseconds since the start of the run. Servers stamp
with the time of day. The whole way of a mutation starts and ends at this client, so it needs no other clock at all;
hops between two servers are differences of servers' stamps. Only the hops between client and server need the offset:
server's clock minus client's clock.

A request that left the client at `sent` was stamped first at `first` and last at `last` by servers, and what came of
it was back at `answered`: this proves that the offset is between `last - answered` and `first - sent`. What came back
may be its answer, or the feed's message about it, if that was quicker. The narrowest of these intervals, the one of the
smallest round trip, is used (RFC 5905, section 10, keeps the sample of the lowest delay for the same reason): its
middle is the estimate, half its width the bound of the error. Clocks drift, and are set, during a run: then other
exchanges prove another offset, and the bound is as wide as the furthest of them asks for. That all servers share one
clock is an assumption: AWS's services follow reference clocks of their region, how closely is not documented
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html). An exchange that no offset explains, because two
servers' clocks differ or one was set in between, tells nothing and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

STAMP_MIDDLE_MS: Final = 0.5
"""A server's stamp is a whole number of milliseconds, cut off: on average the moment is half a millisecond later."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and what came back of it: its answer or a message.

    Attributes
    ----------
    sent_ms, answered_ms
        On the client's clock.
    first_stamp_ms, last_stamp_ms
        The servers' earliest and latest stamp in between, epoch ms, cut off to whole ones.
    """

    sent_ms: float
    answered_ms: float
    first_stamp_ms: int
    last_stamp_ms: int


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Servers' clock minus the client's.

    Attributes
    ----------
    offset_ms
        The estimate.
    error_ms
        The true offset differed from it by no more than this when it was estimated; what other exchanges prove of
        another offset, before or after, is within it, too.
    """

    offset_ms: float
    error_ms: float

    def on_client(self, stamp_ms: int) -> float:
        """Return when a server's stamp was on the client's clock."""
        return stamp_ms + STAMP_MIDDLE_MS - self.offset_ms

    def on_server(self, client_ms: float) -> float:
        """Return a time of the client's clock as the servers would stamp it, epoch ms."""
        return client_ms - STAMP_MIDDLE_MS + self.offset_ms


def estimate_offset(exchanges: Iterable[Exchange]) -> ClockOffset | None:
    """Estimate the offset from the exchange with the smallest round trip.

    Parameters
    ----------
    exchanges
        In any order.

    Returns
    -------
    ClockOffset | None
        None if there was no exchange, or none that any offset explains.
    """
    proven = [
        (exchange.last_stamp_ms - exchange.answered_ms, exchange.first_stamp_ms + 1 - exchange.sent_ms)
        for exchange in exchanges
    ]
    intervals = [(low, high) for low, high in proven if low <= high]
    if not intervals:
        return None
    low, high = min(intervals, key=lambda interval: interval[1] - interval[0])
    offset_ms = (low + high) / 2
    moved_ms = max(max(low - offset_ms, offset_ms - high) for low, high in intervals)
    return ClockOffset(offset_ms, max((high - low) / 2, moved_ms))

"""The live feed's safety net: what the tape's stream brings is told once more, should the matcher have failed to.

The tape knows trades and how orders closed, not the book: a client that missed the matcher's message sees so by the
sequence, and reads the book again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.feed.messages import closings_of, market_messages, own_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from functions.feed.feed import Feed
    from market.tape import TapeCommit


def tell_commits(feed: Feed, currency_digits: int) -> Callable[[str, Sequence[TapeCommit]], None]:
    """Return a function that publishes a material's commits, and never raises.

    Parameters
    ----------
    feed
        Takes the messages.
    currency_digits
        Decimal digits of prices.
    """

    def tell(material: str, commits: Sequence[TapeCommit]) -> None:
        states = [state for commit in commits for state in closings_of(commit)]
        own = own_messages(material, commits[-1].sequence, states, commits, currency_digits=currency_digits)
        feed.publish(material, market_messages(material, commits, currency_digits=currency_digits), own)

    return tell

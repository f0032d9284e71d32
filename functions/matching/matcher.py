"""One material's share of a batch, from reading the book to the last commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from functions.matching.known_head import KnownHead
from functions.matching.material_work import MaterialWork
from functions.matching.second_copies import HandledMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from functions.clock import Clock
    from functions.matching.live import Live
    from functions.matching.material_work import MaterialOutcome
    from functions.matching.records import NewAsk, NewOrder, Requests
    from functions.matching.tables import Tables
    from market.fees import Fees
    from market.matching.engine import SelfTradePrevention


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """Matches new orders of a material against its book, safely beside any number of others doing the same.

    Parameters
    ----------
    client, tables
        Where everything is stored.
    fees, self_trade_prevention
        The environment's rules.
    clock
        Epoch ms, for the times on tape and orders.
    sleep
        Waits so many seconds.
    random
        Uniform in [0, 1), spreads the waits of competing matchers.
    express_lane
        Whether records come by the express lane as well as by the Pipe.
    memory
        What this process is done with.
    heads
        What this process knows of the ends of the materials' tapes.
    live
        Tells what happens as soon as it is committed; None: nobody is told.
    """

    client: DynamoDBClient
    tables: Tables
    fees: Fees
    self_trade_prevention: SelfTradePrevention
    clock: Clock
    sleep: Callable[[float], None]
    random: Callable[[], float]
    express_lane: bool = False
    memory: HandledMemory = field(default_factory=HandledMemory)
    heads: dict[str, KnownHead] = field(default_factory=dict[str, KnownHead])
    live: Live | None = None

    def work(
        self, material: str, entries: Sequence[NewOrder | Requests], new_asks: Sequence[NewAsk], received_at_ms: int
    ) -> MaterialOutcome:
        """Match until nothing is left to do.

        Parameters
        ----------
        material
            Whose book.
        entries
            New orders, and what is asked of orders, in order of arrival, each once.
        new_asks
            Asks known to be new in the book: their number is a hint of how much to read at first.
        received_at_ms
            Epoch ms at which the batch was received; orders that end by then do not trade any longer.

        Returns
        -------
        MaterialOutcome
            Every new order is committed now or was before, or is refused; everything asked for is carried out, was
            before, or came too late; no unseen ask crosses a standing bid.

        Raises
        ------
        Exception
            After `material_work.MOST_ATTEMPTS` tries without progress, or `LONGEST_RETRYING_MS`, the last one's error;
            at once an error that no further try can change. What is committed by then stays, and the rest can be
            delivered again.
        """
        work = MaterialWork(self, material, entries, new_asks, received_at_ms)
        try:
            while not work.done():
                work.outcome.retries += 1
        except Exception:
            work.break_off()
            raise
        work.finish()
        return work.outcome

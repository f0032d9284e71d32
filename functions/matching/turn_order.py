"""In which order a batch's records take their turns, and which orders have to be read for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.matching.named_orders import replaced
from functions.matching.records import NewOrder
from market.matching.turns import Arrival, Cancel, Expire, Reduce

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from functions.matching.named_orders import FoundOrder
    from functions.matching.records import NamedOrder, Requests
    from market.matching.turns import Turn


def named_by(entries: Iterable[NewOrder | Requests], pending: Iterable[NewOrder]) -> list[NamedOrder]:
    """Return the orders that something is asked of, or that a pending order replaces, each once."""
    named: dict[str, NamedOrder] = {}
    for entry in entries:
        if not isinstance(entry, NewOrder):
            for order in entry.orders:
                named.setdefault(order.order_id, order)
    for new in pending:
        if (replaced_id := new.order.replaces) is not None:
            named.setdefault(replaced_id, replaced(new.named, replaced_id))
    return list(named.values())


def turns_of(
    entries: Sequence[NewOrder | Requests], pending: Mapping[str, NewOrder], found: Mapping[str, FoundOrder]
) -> list[Turn]:
    """Put a batch into turns.

    Parameters
    ----------
    entries
        New orders, and what is asked of orders, in order of arrival.
    pending
        Orders to handle, by id: those of the entries that are not handled yet, and those that were only found.
    found
        What is stored of the orders that are named, by id.

    Returns
    -------
    list[Turn]
        In order of arrival, but an order comes before whatever is asked of it, and before one that replaces it: their
        records may overtake its own.
    """
    return list(_TurnOrder(pending, found).turns(entries))


class _TurnOrder:
    def __init__(self, pending: Mapping[str, NewOrder], found: Mapping[str, FoundOrder]) -> None:
        self._pending = pending
        self._found = found
        self._arrived: set[str] = set()

    def turns(self, entries: Sequence[NewOrder | Requests]) -> Iterator[Turn]:
        for entry in entries:
            for order_id in entry.order_ids:
                yield from self._arrival(order_id)
                if not isinstance(entry, NewOrder):
                    yield from self._requested(self._found[order_id], due=entry.due)

    def _arrival(self, order_id: str) -> Iterator[Turn]:
        new = self._pending.get(order_id)
        if new is None or order_id in self._arrived:
            return
        self._arrived.add(order_id)
        replaces = None
        if (replaced_id := new.order.replaces) is not None:
            yield from self._arrival(replaced_id)
            replaces = self._found[replaced_id].target
        yield Arrival(new.order, replaces)

    @staticmethod
    def _requested(order: FoundOrder, *, due: bool) -> Iterator[Turn]:
        record = order.record
        if record is None:
            return
        if due:
            yield Expire(order.target)
        elif "request" in record:
            if record["request"]["S"] == "REDUCE":
                yield Reduce(order.target, int(record["request_quantity"]["N"]))
            else:
                yield Cancel(order.target)

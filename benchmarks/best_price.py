"""What the best price costs to find after nothing was sold, and after 100,000 asks were.

Sold-out asks leave the table in the transaction that sells their last unit, so there is nothing to skip: calls and read
units must be the same, and the time about the same.

Run: ``python -m benchmarks.best_price``
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from benchmarks.market_on_emulator import TABLES, CountingClient, connect, create_tables, put_all, running_emulator
from functions.matching.tables import open_asks
from market.keys import ask_price_key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

SOLD_OUT = 100_000
_LOOK_UPS = 200
_PAGE = 25


def _ask(material: str, number: int) -> dict[str, dict[str, str]]:
    ask_id = f"{number:08x}-0000-7000-8000-000000000000"
    return {
        "material": {"S": material},
        "price_key": {"S": ask_price_key(1000, ask_id)},
        "ask_id": {"S": ask_id},
        "seller": {"S": "seller"},
        "price_minor": {"N": "1000"},
        "quantity": {"N": "1"},
        "remaining": {"N": "1"},
        "placed_at_ms": {"N": "1"},
    }


def _sell_out(client: DynamoDBClient, material: str, asks: int) -> None:
    """Store asks and delete them again, as the matcher's commits do."""

    def store_and_delete(start: int) -> None:
        items = [_ask(material, number) for number in range(start, min(start + _PAGE, asks))]
        put_all(client, TABLES.asks, items)
        deletions = [
            {"DeleteRequest": {"Key": {name: item[name] for name in ("material", "price_key")}}} for item in items
        ]
        client.batch_write_item(RequestItems={TABLES.asks: cast("Any", deletions)})

    with ThreadPoolExecutor(max_workers=4) as threads:
        list(threads.map(store_and_delete, range(0, asks, _PAGE)))


def _look_up(client: DynamoDBClient, material: str) -> tuple[float, int, float]:
    """Return the seconds, calls and read units of one best-price look-up, of many the median."""
    counting = CountingClient(client)
    seconds: list[float] = []
    for _ in range(_LOOK_UPS):
        start = perf_counter()
        best = next(open_asks(cast("DynamoDBClient", counting), TABLES.asks, material, 1))
        seconds.append(perf_counter() - start)
        assert best.price_minor == 1000
    return median(seconds), counting.calls.total() // _LOOK_UPS, counting.read_units / _LOOK_UPS


def main() -> int:
    """Print the costs; the exit code says whether they are the same in calls and read units."""
    with running_emulator() as url:
        client = connect(url)
        create_tables(client)
        put_all(client, TABLES.asks, [_ask("fresh", SOLD_OUT + 1), _ask("traded", SOLD_OUT + 1)])
        _sell_out(client, "traded", SOLD_OUT)
        _look_up(client, "fresh")  # warm-up
        # In turns: the emulator's speed drifts more than the difference looked for.
        runs = [(_look_up(client, "fresh"), _look_up(client, "traded")) for _ in range(3)]
    fresh, traded = runs[0]
    ratio = median(after[0] / before[0] for before, after in runs)
    print(f"{'sold-out asks':>13} {'calls':>6} {'RCU':>5} {'median ms':>10}")
    for sold, (seconds, calls, units) in ((0, fresh), (SOLD_OUT, traded)):
        print(f"{sold:>13} {calls:>6} {units:>5.1f} {seconds * 1000:>10.2f}")
    print(f"time ratio after/before, median of {len(runs)}: {ratio:.2f}")
    return 0 if fresh[1:] == traded[1:] else 1


if __name__ == "__main__":
    sys.exit(main())

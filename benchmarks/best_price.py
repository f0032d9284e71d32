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
_LOOK_UPS = 300
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


def _look_up(client: CountingClient, material: str) -> float:
    """Find the best price once and return the seconds."""
    start = perf_counter()
    best = next(open_asks(cast("DynamoDBClient", client), TABLES.asks, material, 1))
    seconds = perf_counter() - start
    assert best.price_minor == 1000
    return seconds


def main() -> int:
    """Print the costs; the exit code says whether they are the same in calls and read units."""
    with running_emulator() as url:
        client = connect(url)
        create_tables(client)
        put_all(client, TABLES.asks, [_ask("fresh", SOLD_OUT + 1), _ask("traded", SOLD_OUT + 1)])
        _sell_out(client, "traded", SOLD_OUT)
        counting = {"fresh": CountingClient(client), "traded": CountingClient(client)}
        seconds: dict[str, list[float]] = {"fresh": [], "traded": []}
        for _ in range(_LOOK_UPS):  # in turns: the machine's speed drifts more than the difference looked for
            for material, measured in seconds.items():
                measured.append(_look_up(counting[material], material))
    print(f"{'sold-out asks':>13} {'calls':>6} {'RCU':>5} {'median ms':>10}")
    costs: list[tuple[float, float]] = []
    for sold, material in ((0, "fresh"), (SOLD_OUT, "traded")):
        spent = counting[material]
        costs.append((spent.calls.total() / _LOOK_UPS, spent.read_units / _LOOK_UPS))
        print(f"{sold:>13} {costs[-1][0]:>6.1f} {costs[-1][1]:>5.1f} {median(seconds[material]) * 1000:>10.2f}")
    print(f"time after / before: {median(seconds['traded']) / median(seconds['fresh']):.2f}")
    return 0 if costs[0] == costs[1] else 1


if __name__ == "__main__":
    sys.exit(main())

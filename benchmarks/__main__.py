"""Run every benchmark, one after the other, each in its own process: `python -m benchmarks`."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

PROGRAMS: Final = {
    "order_book_vs_peers": "the matching core against its pure-Python peers, and against a book 100 times deeper",
    "matcher_vs_naive": "the matcher against one query and one transaction a bid: fills/s, calls and write units",
    "placing_cost": "placing, changing and canceling with escrow against read, check and put: calls and units",
    "best_price": "the price of finding the best ask, after none and after 100,000 sold-out asks",
    "aggregator_vs_naive": "groups of records against a list that grows: units and invocations a record",
    "periodic_aggregator_vs_naive": "time buckets against put and scan: calls, units and items read a record",
    "processor_vs_naive": "transactions of three steps against a status field; finding stuck ones against a scan",
    "optimistic_locking_vs_naive": "attempts, calls and units a write under 1 to 16 writers",
    "historic_vs_naive": "a history behind the stream against a copy made in the request: calls, units, bytes",
    "sequenced_log_vs_naive": "appends and consumers against counter, increment and put: events/s, calls, units",
    "express_vs_stream": "from request to every client: the express lane against the stream path, p50 in one run",
    "local_throughput": "milliseconds of CPU an order by process of the local environment, and the latency left",
    "footprint": "the Lambda archive, importing each handler, memory of the local environment at rest",
}


def main() -> int:
    """Run them all, also after a failure; return the number of those that failed."""
    failed = 0
    for name, subject in PROGRAMS.items():
        print(f"\n== {name}: {subject}", flush=True)
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())

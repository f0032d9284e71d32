"""What the market writes on its way to the matcher: a pipe for each table, and the orders stream they end in."""

from __future__ import annotations

import base64
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.audit.market import is_for_the_matcher

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.audit.market import Change

PIPED = ("asks", "sell-orders", "bids")


@dataclass
class OrdersStream:
    """The tables' pipes, each in order and none in step with another, and the stream with the matcher's place in it.

    It also is a Kinesis client, as far as the expirer needs one.
    """

    pipes: dict[str, deque[tuple[str, bytes]]] = field(default_factory=lambda: {table: deque() for table in PIPED})
    records: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    place: int = 0
    """How many records the matcher is done with."""

    def written(self, changes: Iterable[Change]) -> None:
        """Take what the tables' own streams say."""
        for table, name, image in changes:
            if is_for_the_matcher(table, name, image):
                record = {"eventSource": "aws:dynamodb", "eventName": name, "dynamodb": image}
                data = json.dumps(record).encode()
                self.pipes[table].append((image["NewImage"]["material"]["S"], data))

    def flow(self, tables: Sequence[str], most: int, now_ms: int, copies: int = 1) -> None:
        """Let pipes bring up to so many records each, one pipe after the other."""
        for table in tables:
            pipe = self.pipes[table]
            batch = [pipe.popleft() for _ in range(min(most, len(pipe)))]
            for material, data in batch * copies:
                self.append(material, data, now_ms)

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Append records as Kinesis does."""
        del StreamName
        for record in Records:
            self.append(record["PartitionKey"], record["Data"], 0)
        return {"Records": [{} for _ in Records]}

    @property
    def is_empty(self) -> bool:
        """Whether the matcher has seen everything."""
        return self.place == len(self.records) and not any(self.pipes.values())

    def append(self, material: str, data: bytes, now_ms: int) -> None:
        """Take a record in, after all others."""
        record = {
            "kinesis": {
                "sequenceNumber": f"{len(self.records) + 1:056d}",
                "partitionKey": material,
                "approximateArrivalTimestamp": now_ms / 1000,
                "data": base64.b64encode(data).decode(),
            }
        }
        self.records.append(record)

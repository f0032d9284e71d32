"""The whole market with an express lane beside the pipes, on which anything may happen to a record."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError, ReadTimeoutError

from functions import asks_api, bids_api
from functions.environment import AsksEnvironment, BidsEnvironment
from functions.matching.second_copies import HandledMemory
from tests.whole_market.streams import OrdersStream
from tests.whole_market.variables import VARIABLES
from tests.whole_market.world import WholeMarket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient

    from market.matching.rules import SelfTradePrevention
    from tests.audit.market import Change

FATES: Final = ("straight", "lost", "twice", "late", "swapped", "refused", "silent", "answer lost")
"""What becomes of a record of the express lane.

It arrives at once; never; twice; after the pipe's copy; after the next one of the lane. Or the stream refuses it, does
not answer, or takes it and its answer is lost.
"""


@dataclass
class TwoLanes(OrdersStream):
    """The orders stream of `tests.whole_market`, which the API also puts records on."""

    fates: Iterator[str] = field(default_factory=lambda: cycle(["straight"]))
    now_ms: int = 0
    put: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What the API has put, whatever became of it."""
    piped: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What the pipes have been given."""
    _held: dict[str, list[tuple[str, bytes]]] = field(default_factory=lambda: {"late": [], "swapped": []})

    def put_record(self, *, StreamName: str, Data: bytes, PartitionKey: str) -> dict[str, Any]:  # noqa: N803
        """Take a record as Kinesis does, or not."""
        assert StreamName == "orders"
        self.put.append({"key": PartitionKey, **json.loads(Data)})
        fate = next(self.fates)
        if fate == "refused":
            code: Any = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "injected"}}
            raise ClientError(code, "PutRecord")
        copies = {"straight": 1, "twice": 2, "answer lost": 1}.get(fate, 0)
        for _ in range(copies):
            self.append(PartitionKey, Data, self.now_ms)
        self._release("swapped", self.now_ms)
        if fate in self._held:
            self._held[fate].append((PartitionKey, Data))
        if fate in ("silent", "answer lost"):
            raise ReadTimeoutError(endpoint_url="https://kinesis")
        return {}

    def written(self, changes: Iterable[Change]) -> None:
        """Take what the tables' own streams say."""
        before = {table: len(pipe) for table, pipe in self.pipes.items()}
        super().written(changes)
        for table, pipe in self.pipes.items():
            for material, data in list(pipe)[before[table] :]:
                self.piped.append({"key": material, **json.loads(data)})

    def flow(self, tables: Sequence[str], most: int, now_ms: int, copies: int = 1) -> None:
        """Let the pipes flow; then what was delayed arrives."""
        super().flow(tables, most, now_ms, copies)
        for kind in self._held:
            self._release(kind, now_ms)

    @property
    def is_empty(self) -> bool:
        """Whether the matcher has seen everything."""
        return super().is_empty and not any(self._held.values())

    def _release(self, kind: str, now_ms: int) -> None:
        held, self._held[kind] = self._held[kind], []
        for material, data in held:
            self.append(material, data, now_ms)


class ExpressMarket(WholeMarket):
    """Every function of a market with an express lane.

    Parameters
    ----------
    prevention
        Setting of the matcher.
    fates
        What becomes of the lane's records, one after the other, from `FATES`.
    most_remembered
        Ids that the matcher remembers.
    """

    def __init__(
        self, prevention: SelfTradePrevention, fates: Iterable[str] = ("straight",), most_remembered: int = 20_000
    ) -> None:
        super().__init__(prevention)
        self.stream = self.lanes = TwoLanes(fates=cycle(fates))
        self._expirer = replace(self._expirer, kinesis=cast("KinesisClient", self.lanes))
        self.matcher = replace(self.matcher, express_lane=True, memory=HandledMemory(most_remembered))
        client, entropy = cast("DynamoDBClient", self._connection), Random(7).randbytes
        variables = VARIABLES | {"ORDERS_STREAM_NAME": "orders"}

        def kinesis() -> KinesisClient:
            return cast("KinesisClient", self.lanes)

        asks, bids = AsksEnvironment.from_environ(variables), BidsEnvironment.from_environ(variables)
        self._handlers["asks"] = asks_api.build(asks, client, self.clock, entropy, kinesis)
        self._handlers["bids"] = bids_api.build(bids, client, self.clock, entropy, kinesis)

    def send(self, *request: Any, **further: Any) -> Any:
        """Send a request."""
        self.lanes.now_ms = self.clock.now_ms
        return super().send(*request, **further)

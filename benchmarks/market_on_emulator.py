"""The market's tables on an emulator of their own, for benchmarks: start, create, fill, count, stop."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config

from functions.matching.tables import Tables
from local.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

TABLES = Tables(asks="asks", sell_orders="sell_orders", bids="bids", standing_bids="standing_bids", tape="tape")
"""The names all benchmarks use."""

_KEYS = {
    TABLES.asks: (("material", "S"), ("price_key", "S")),
    TABLES.sell_orders: (("seller", "S"), ("order_key", "S")),
    TABLES.bids: (("buyer", "S"), ("order_key", "S")),
    TABLES.standing_bids: (("material", "S"), ("price_key", "S")),
    TABLES.tape: (("material", "S"), ("sequence", "N")),
}
_STREAMED = {TABLES.asks, TABLES.sell_orders, TABLES.bids, TABLES.tape}


@contextmanager
def running_emulator() -> Generator[str]:
    """Run an emulator of one's own for as long as the block lasts; yields its URL."""
    with TemporaryDirectory() as folder:
        emulator = Emulator(Path(folder), Path(folder) / "emulator.log")
        emulator.start()
        try:
            yield emulator.endpoint_url
        finally:
            emulator.stop()


def connect(url: str) -> DynamoDBClient:
    """Return a DynamoDB client at the emulator."""
    session = botocore.session.get_session()
    session.set_credentials("test", "test")  # pyright: ignore[reportUnknownMemberType]
    # As the matcher's own client, but without a retry that would hide an error.
    config = Config(
        retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=16, parameter_validation=False
    )
    client = session.create_client(  # pyright: ignore[reportUnknownMemberType]
        "dynamodb", region_name="us-east-1", endpoint_url=url, config=config
    )
    return cast("DynamoDBClient", client)


def create_tables(client: DynamoDBClient) -> None:
    """Create the market's tables, streams as the deployment has them."""
    for table, ((partition, partition_type), (sort, sort_type)) in _KEYS.items():
        client.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=cast(
                "Any",
                [
                    {"AttributeName": partition, "AttributeType": partition_type},
                    {"AttributeName": sort, "AttributeType": sort_type},
                ],
            ),
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=(
                {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
                if table in _STREAMED
                else {"StreamEnabled": False}
            ),
        )


def put_all(client: DynamoDBClient, table: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Put items in DynamoDB's attribute form, 25 a call."""
    for start in range(0, len(items), 25):
        requests = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        answer = client.batch_write_item(RequestItems={table: cast("Any", requests)})
        if answer["UnprocessedItems"]:
            raise RuntimeError(f"{table}: the emulator left items unprocessed")


class CountingClient:
    """A DynamoDB client that counts its calls and asks each for the capacity it consumed.

    `calls`, `write_units` and `read_units` add up what `ReturnConsumedCapacity` reported.
    """

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()
        self.write_units = 0.0
        self.read_units = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def counted(**arguments: Any) -> Any:
            self.calls[name] += 1
            answer = method(**arguments, ReturnConsumedCapacity="TOTAL")
            reported = answer.get("ConsumedCapacity", [])
            for consumed in cast("list[dict[str, Any]]", reported if isinstance(reported, list) else [reported]):
                units = float(consumed["CapacityUnits"])
                if name == "transact_write_items":
                    self.write_units += units
                else:
                    self.read_units += units
            return answer

        return counted

"""What the emulator's process does besides emulating: it tells of writes, and keeps its workers few and polite."""

from __future__ import annotations

import io
import json
import os
import queue
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from local.clients import emulator_client
from local.emulator import ACCOUNT_ID, Emulator
from local.workers import MOST_OF_A_FUNCTION
from tests.delivery.test_emulator import TRUST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION = "eu-west-1"
PATIENCE_S = 30
HANDLER = """
import os, time

def handler(event, context):
    time.sleep(event["seconds"])
    return [os.getpid(), os.nice(0)]
"""


class Host:
    """An emulator, what it told of, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.emulator = Emulator(folder, folder / "emulator.log", region=REGION, on_write=self.told.put)

    def client(self, service: str) -> Any:
        return emulator_client(service, self.emulator.endpoint_url, ACCOUNT_ID, REGION)

    def create_function(self, name: str) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("sleeper.py", HANDLER)
        role = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        code = {"ZipFile": archive.getvalue()}
        self.client("lambda").create_function(
            FunctionName=name, Runtime="python3.13", Role=role, Handler="sleeper.handler", Code=code, Timeout=60
        )

    def invoke(self, name: str, seconds: float = 0.0) -> tuple[int, int]:
        """Return the process that ran the function, and its niceness."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps({"seconds": seconds}))
        process, niceness = json.loads(answer["Payload"].read())
        return process, niceness


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(tmp_path_factory.mktemp("emulator"))
    host.emulator.start()
    try:
        yield host
    finally:
        host.emulator.stop()


def test_every_write_of_a_stream_is_told_of_and_a_transaction_once(host: Host) -> None:
    dynamodb, kinesis = host.client("dynamodb"), host.client("kinesis")
    table: dict[str, Any] = {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    watched = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    bids = dynamodb.create_table(TableName="bids", StreamSpecification=watched, **table)["TableDescription"]
    dynamodb.create_table(TableName="unwatched", **table)
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    orders = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]["StreamARN"]

    dynamodb.put_item(TableName="unwatched", Item={"id": {"S": "0"}})
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "bids", "Item": {"id": {"S": str(n)}}}} for n in range(9)]
    )
    kinesis.put_record(StreamName="orders", PartitionKey="copper", Data=b"1")
    dynamodb.delete_item(TableName="bids", Key={"id": {"S": "1"}})
    kinesis.put_records(StreamARN=orders, Records=[{"PartitionKey": "copper", "Data": b"2"}])

    stream = bids["LatestStreamArn"]
    assert [host.told.get(timeout=PATIENCE_S) for _ in range(4)] == [stream, orders, stream, orders]
    assert host.told.empty()


def test_a_rush_waits_for_workers_instead_of_starting_one_each(host: Host) -> None:
    host.create_function("rushed")
    rush = 3 * MOST_OF_A_FUNCTION
    with ThreadPoolExecutor(rush) as callers:
        ran = list(callers.map(host.invoke, ["rushed"] * rush, [0.2] * rush))
    assert len(ran) == rush
    assert 1 < len({process for process, _ in ran}) <= MOST_OF_A_FUNCTION


def test_functions_that_nobody_waits_for_give_way_those_that_run_already_too(host: Host) -> None:
    own = os.nice(0)
    for name in ("history", "matcher"):
        host.create_function(name)
    before = host.invoke("history")
    host.emulator.give_way(frozenset({"history", "settlement"}))
    host.create_function("settlement")
    # Creating the function took several answers; the request was read before the first.
    after = host.invoke("history")
    assert before == (after[0], own)
    assert after[1] > own
    assert host.invoke("settlement")[1] == after[1]
    assert host.invoke("matcher")[1] == own

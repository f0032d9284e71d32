"""The whole path on a real emulator: table → pipe → Kinesis → function, over a restart, with a poison record."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest

from local.delivery.aws import AwsPorts
from local.delivery.checkpoints import FileCheckpoints
from local.delivery.engine import DeliveryEngine
from local.delivery.wiring import EVENT_SOURCE_MAPPING, FUNCTION, PIPE, load_wiring
from local.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION = "eu-west-1"
ACCOUNT = "123456789012"

HANDLER = """
import base64, json, os

def handler(event, context):
    failures = []
    with open(os.environ["OUT"], "a") as out:
        for record in event["Records"]:
            change = json.loads(base64.b64decode(record["kinesis"]["data"]))
            bid_id = change["dynamodb"]["NewImage"]["bid_id"]["S"]
            if bid_id == "poison":
                print("poison")
                return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}
            out.write(record["kinesis"]["partitionKey"] + " " + bid_id + "\\n")
    print("handled", len(event["Records"]))
    return {"batchItemFailures": failures}
"""

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


class Market:
    """A bids table, a stream, a function and a failure queue on an emulator, and engines over them."""

    def __init__(self, endpoint_url: str, folder: Path) -> None:
        session: Any = boto3.Session(
            aws_access_key_id=ACCOUNT, aws_secret_access_key="local", region_name=REGION
        )  # boto3's stubs know the services installed only
        self.endpoint_url = endpoint_url
        self.out = folder / "handled.txt"
        self.checkpoints = folder / "checkpoints.json"
        self.dynamodb, self.kinesis, self.functions, self.sqs = (
            session.client(name, endpoint_url=endpoint_url) for name in ("dynamodb", "kinesis", "lambda", "sqs")
        )
        table = self.dynamodb.create_table(
            TableName="bids",
            KeySchema=[{"AttributeName": "bid_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "bid_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self.kinesis.create_stream(StreamName="orders", ShardCount=2)
        self.stream_arn: str = self.kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"][
            "StreamARN"
        ]
        iam = session.client("iam", endpoint_url=endpoint_url)
        role = iam.create_role(RoleName="matcher", AssumeRolePolicyDocument=TRUST)["Role"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("matcher.py", HANDLER)
        function = self.functions.create_function(
            FunctionName="matcher",
            Runtime="python3.13",
            Role=role["Arn"],
            Handler="matcher.handler",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"OUT": str(self.out)}},
        )
        self.queue_url: str = self.sqs.create_queue(QueueName="failed")["QueueUrl"]
        self.wiring = load_wiring(self.state(table["LatestStreamArn"], function["FunctionArn"]))

    def state(self, table_stream_arn: str, function_arn: str) -> list[dict[str, object]]:
        pipe = {
            "roleArn": f"arn:aws:iam::{ACCOUNT}:role/pipe",
            "source": table_stream_arn,
            "target": self.stream_arn,
            "sourceParameters": {
                "dynamodbStreamParameters": {"startingPosition": "TRIM_HORIZON", "batchSize": 500},
                "filterCriteria": {"filters": [{"pattern": '{"eventName": ["INSERT"]}'}]},
            },
            "targetParameters": {"kinesisStreamParameters": {"partitionKey": "$.dynamodb.NewImage.material.S"}},
        }
        mapping = {
            "eventSourceArn": self.stream_arn,
            "functionName": function_arn,
            "startingPosition": "TRIM_HORIZON",
            "batchSize": 500,
            "bisectBatchOnFunctionError": True,
            "functionResponseTypes": ["ReportBatchItemFailures"],
            "maximumRetryAttempts": 1,
            "parallelizationFactor": 2,
            "destinationConfig": {"onFailure": {"destinationArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"}},
        }
        rows: list[tuple[str, object, object]] = [
            (FUNCTION, {}, {"arn": function_arn}),
            (PIPE, pipe, {}),
            (EVENT_SOURCE_MAPPING, mapping, {}),
        ]
        return [
            {
                "urn": f"urn:pulumi:local::test::{kind}::it",
                "type": kind,
                "id": kind,
                "inputs": inputs,
                "outputs": outputs,
            }
            for kind, inputs, outputs in rows
        ]

    def engine(self) -> DeliveryEngine:
        ports = AwsPorts(self.endpoint_url, REGION, ACCOUNT)
        checkpoints = FileCheckpoints(self.checkpoints)
        engine = DeliveryEngine(self.wiring, ports, ports, ports, ports, checkpoints=checkpoints)
        engine.start()
        return engine

    def bid(self, bid_id: str, material: str) -> None:
        item = {
            "bid_id": {"S": bid_id},
            "material": {"S": material},
            "proof": {"B": b"\x00\xff"},
            "price": {"N": "1.50"},
        }
        self.dynamodb.put_item(TableName="bids", Item=item)

    def handled(self, material: str) -> list[str]:
        rows = [line.split() for line in self.out.read_text().splitlines()]
        return [bid_id for key, bid_id in rows if key == material]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("emulator")
    emulator = Emulator(folder, folder / "emulator.log", region=REGION)
    emulator.start()
    try:
        yield Market(emulator.endpoint_url, folder)
    finally:
        emulator.stop()


def test_bids_reach_the_function_in_order_of_their_material_across_a_restart_and_a_poison_record(
    market: Market,
) -> None:
    materials = ("copper", "wheat", "iron")
    engine = market.engine()
    for n in range(30):
        market.bid(f"{n:02d}", materials[n % 3])
    market.dynamodb.update_item(
        TableName="bids",
        Key={"bid_id": {"S": "00"}},
        UpdateExpression="SET price = :p",
        ExpressionAttributeValues={":p": {"N": "2"}},
    )
    assert engine.drain(30)
    assert engine.stop()

    for n in range(30, 45):
        market.bid(f"{n:02d}", materials[n % 3])
    market.bid("poison", "copper")
    market.bid("45", "copper")
    engine = market.engine()
    assert engine.drain(30)
    assert engine.stop()

    for index, material in enumerate(materials):
        expected = [f"{n:02d}" for n in range(46) if n % 3 == index and (n < 45 or material == "copper")]
        assert list(dict.fromkeys(market.handled(material))) == expected
    pipe, mapping = engine.stats()
    assert (pipe.records, mapping.discarded) == (17, 1)  # after the restart only what was new
    messages = cast("list[dict[str, str]]", market.sqs.receive_message(QueueUrl=market.queue_url)["Messages"])
    message = json.loads(messages[0]["Body"])
    assert message["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert message["KinesisBatchInfo"]["batchSize"] == 1

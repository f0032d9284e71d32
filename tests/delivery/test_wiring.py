"""Reading mappings and pipes from a stack's state: defaults, and errors that name resource and property."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

import pytest

from local.delivery.mappings import PUT_RECORDS_BYTES
from local.delivery.wiring import EVENT_SOURCE_MAPPING, FUNCTION, PIPE, STREAM_CONSUMER, WiringError, load_wiring
from tests.delivery.world import FUNCTION as FUNCTION_ARN
from tests.delivery.world import PIPE_ARN, QUEUE, STREAM, TABLE_STREAM

if TYPE_CHECKING:
    from local.delivery.mappings import EventSourceMapping, Pipe
    from local.delivery.records import Json

CONSUMER = f"{STREAM}/consumer/matcher:1700000000"
ROLE = "arn:aws:iam::123456789012:role/matcher"
FILTER = '{"eventName": ["INSERT"]}'


def resource(kind: str, name: str, inputs: Json, outputs: Json | None = None) -> dict[str, object]:
    return {
        "urn": f"urn:pulumi:local::commodities-market::{kind}::{name}",
        "type": kind,
        "id": f"{name}-id",
        "custom": True,
        "inputs": inputs,
        "outputs": outputs or {},
    }


def mapping_state(**inputs: object) -> list[dict[str, object]]:
    settled = {"functionName": FUNCTION_ARN, "eventSourceArn": STREAM, "startingPosition": "TRIM_HORIZON", **inputs}
    return [
        resource(FUNCTION, "matcher", {"role": ROLE}, {"arn": FUNCTION_ARN, "name": "matcher"}),
        resource(STREAM_CONSUMER, "consumer", {"streamArn": STREAM}, {"arn": CONSUMER}),
        resource(EVENT_SOURCE_MAPPING, "matcher-orders", settled),
    ]


def pipe_state(stream: Json | None = None, **inputs: object) -> list[dict[str, object]]:
    settled = {
        "roleArn": ROLE,
        "source": TABLE_STREAM,
        "target": STREAM,
        "sourceParameters": {
            "dynamodbStreamParameters": {"startingPosition": "TRIM_HORIZON", **(stream or {})},
            "filterCriteria": {"filters": [{"pattern": FILTER}]},
        },
        "targetParameters": {"kinesisStreamParameters": {"partitionKey": "$.dynamodb.NewImage.material.S"}},
        **inputs,
    }
    return [resource(PIPE, "bids-to-orders", settled, {"arn": PIPE_ARN})]


def one_mapping(**inputs: object) -> EventSourceMapping:
    (loaded,) = load_wiring(mapping_state(**inputs)).mappings
    return loaded


def one_pipe(stream: Json | None = None, **inputs: object) -> Pipe:
    (loaded,) = load_wiring(pipe_state(stream, **inputs)).pipes
    return loaded


def test_a_mapping_with_nothing_set_has_lambdas_defaults() -> None:
    loaded = one_mapping()
    assert (loaded.mapping_id, loaded.name, loaded.function) == ("matcher-orders-id", "matcher-orders", FUNCTION_ARN)
    assert (loaded.role_arn, loaded.enabled, loaded.report_item_failures) == (ROLE, True, False)
    assert loaded.failure_queue_arn is None
    batching = loaded.batching
    assert (batching.batch_size, batching.window_ms, batching.parallelization, batching.bisect) == (100, 0, 1, False)
    assert (batching.maximum_retries, batching.maximum_age_ms, batching.patterns) == (-1, -1, ())


def test_every_setting_of_a_mapping_is_read() -> None:
    loaded = one_mapping(
        functionName="matcher",
        eventSourceArn=CONSUMER,
        batchSize=500.0,
        bisectBatchOnFunctionError=True,
        destinationConfig={"onFailure": {"destinationArn": QUEUE}},
        enabled=False,
        filterCriteria={"filters": [{"pattern": '{"data": {"eventName": ["INSERT"]}}'}]},
        functionResponseTypes=["ReportBatchItemFailures"],
        maximumBatchingWindowInSeconds=2,
        maximumRecordAgeInSeconds=3600,
        maximumRetryAttempts=5,
        parallelizationFactor=10,
        startingPosition="AT_TIMESTAMP",
        startingPositionTimestamp="2026-01-01T00:00:00Z",
        tags={"service": "market"},
        tumblingWindowInSeconds=0,
    )
    assert loaded.function == FUNCTION_ARN
    assert (loaded.enabled, loaded.report_item_failures, loaded.failure_queue_arn) == (False, True, QUEUE)
    source = loaded.source
    assert (source.enhanced_fan_out, source.stream_arn, source.region) == (True, STREAM, "eu-west-1")
    assert (source.starting_position, source.starting_timestamp_ms) == ("AT_TIMESTAMP", 1_767_225_600_000)
    batching = loaded.batching
    assert (batching.batch_size, batching.window_ms, batching.parallelization, batching.bisect) == (500, 2000, 10, True)
    assert (batching.maximum_retries, batching.maximum_age_ms, len(batching.patterns)) == (5, 3_600_000, 1)


def test_a_pipe_is_read() -> None:
    loaded = one_pipe(
        {
            "batchSize": 500,
            "deadLetterConfig": {"arn": QUEUE},
            "maximumRetryAttempts": 3,
            "onPartialBatchItemFailure": "AUTOMATIC_BISECT",
        }
    )
    assert (loaded.arn, loaded.target_stream_arn, loaded.failure_queue_arn) == (PIPE_ARN, STREAM, QUEUE)
    assert loaded.partition_key == "$.dynamodb.NewImage.material.S"
    batching = loaded.batching
    assert (batching.batch_size, batching.batch_bytes, batching.bisect) == (500, PUT_RECORDS_BYTES, True)
    assert (batching.maximum_retries, batching.maximum_age_ms, batching.patterns[0].text) == (3, -1, FILTER)
    assert one_pipe().batching.batch_size == 1
    assert not one_pipe(desiredState="STOPPED").enabled


def filters(*patterns: object) -> dict[str, object]:
    return {"filters": [{"pattern": json.dumps(pattern)} for pattern in patterns]}


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"tumblingWindowInSeconds": 30}, "tumblingWindowInSeconds"),
        ({"provisionedPollerConfig": {"minimumPollers": 1}}, "provisionedPollerConfig"),
        ({"somethingNew": True}, "somethingNew"),
        ({"functionName": None}, "functionName"),
        ({"startingPosition": None}, "startingPosition"),
        ({"startingPosition": "EARLIEST"}, "startingPosition"),
        ({"startingPosition": "AT_TIMESTAMP"}, "startingPositionTimestamp"),
        ({"startingPosition": "AT_TIMESTAMP", "startingPositionTimestamp": "noon"}, "startingPositionTimestamp"),
        ({"eventSourceArn": TABLE_STREAM, "startingPosition": "AT_TIMESTAMP"}, "startingPosition"),
        ({"eventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:queue"}, "eventSourceArn"),
        ({"eventSourceArn": f"{STREAM}/consumer/other:1"}, "eventSourceArn"),
        ({"batchSize": 0}, "batchSize"),
        ({"batchSize": 10_001}, "batchSize"),
        ({"batchSize": 1.5}, "batchSize"),
        ({"batchSize": "100"}, "batchSize"),
        ({"parallelizationFactor": 11}, "parallelizationFactor"),
        ({"maximumBatchingWindowInSeconds": 301}, "maximumBatchingWindowInSeconds"),
        ({"maximumRetryAttempts": -2}, "maximumRetryAttempts"),
        ({"maximumRecordAgeInSeconds": 59}, "maximumRecordAgeInSeconds"),
        ({"bisectBatchOnFunctionError": "yes"}, "bisectBatchOnFunctionError"),
        ({"functionResponseTypes": ["Other"]}, "functionResponseTypes"),
        ({"destinationConfig": {"onSuccess": {"destinationArn": QUEUE}}}, "destinationConfig.onSuccess"),
        (
            {"destinationConfig": {"onFailure": {"destinationArn": "arn:aws:sns:eu-west-1:123456789012:topic"}}},
            "destinationConfig.onFailure.destinationArn",
        ),
        ({"filterCriteria": filters({"data": {"a": [{"wildcard": "*"}]}})}, "filterCriteria"),
        ({"filterCriteria": filters({"partitionKey": ["a"]})}, "filterCriteria"),
        ({"filterCriteria": filters(*[{"data": {"a": [n]}} for n in range(6)])}, "filterCriteria"),
    ],
)
def test_what_cannot_be_executed_in_a_mapping_is_an_error_naming_it(inputs: dict[str, object], name: str) -> None:
    with pytest.raises(WiringError, match=re.escape(f"EventSourceMapping 'matcher-orders', property {name}: ")):
        one_mapping(**inputs)


def kinesis_target(key: str) -> dict[str, object]:
    return {"targetParameters": {"kinesisStreamParameters": {"partitionKey": key}}}


@pytest.mark.parametrize(
    ("stream", "inputs", "name"),
    [
        ({"batchSize": 501}, {}, "sourceParameters.dynamodbStreamParameters.batchSize"),
        ({"startingPosition": "AT_TIMESTAMP"}, {}, "sourceParameters.dynamodbStreamParameters.startingPosition"),
        ({"onPartialBatchItemFailure": "X"}, {}, "sourceParameters.dynamodbStreamParameters.onPartialBatchItemFailure"),
        ({"deadLetterConfig": {"arn": "x"}}, {}, "sourceParameters.dynamodbStreamParameters.deadLetterConfig.arn"),
        ({}, {"enrichment": FUNCTION_ARN}, "enrichment"),
        ({}, {"desiredState": "PAUSED"}, "desiredState"),
        ({}, {"target": QUEUE}, "target"),
        ({}, {"source": QUEUE}, "source"),
        ({}, {"targetParameters": {"inputTemplate": "<$.body>"}}, "targetParameters.inputTemplate"),
        ({}, {"targetParameters": {}}, "targetParameters.kinesisStreamParameters.partitionKey"),
        ({}, kinesis_target("$..material"), "targetParameters.kinesisStreamParameters.partitionKey"),
        ({}, {"sourceParameters": {"sqsQueueParameters": {"batchSize": 1}}}, "sourceParameters.sqsQueueParameters"),
    ],
)
def test_what_cannot_be_executed_in_a_pipe_is_an_error_naming_it(
    stream: dict[str, object], inputs: dict[str, object], name: str
) -> None:
    with pytest.raises(WiringError, match=re.escape(f"Pipe 'bids-to-orders', property {name}: ")):
        one_pipe(stream, **inputs)


def test_other_resources_are_passed_over() -> None:
    table = resource("aws:dynamodb/table:Table", "bids", {"streamEnabled": True})
    stack = cast(
        "dict[str, object]", {"urn": "urn:pulumi:local::m::pulumi:pulumi:Stack::m", "type": "pulumi:pulumi:Stack"}
    )
    assert load_wiring([stack, table]) == load_wiring([])

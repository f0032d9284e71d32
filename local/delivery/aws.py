"""The engine's ports over boto3, at an AWS endpoint such as the local emulator's."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.delivery.ports import (
    Invocation,
    IteratorExpiredError,
    NotReachedError,
    Page,
    Position,
    RecordsTrimmedError,
    Shard,
    SourceUnavailableError,
    TargetError,
)
from local.delivery.records import DynamoDBRecord, KinesisRecord, StreamRecord, canonical_key
from local.delivery.wire import RefusedError, SignedConnection, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from http.client import HTTPResponse

    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_sqs import SQSClient

    from local.delivery.mappings import Source
    from local.delivery.records import Json

_ANSWER_S = 20
_LONGEST_INVOCATION_S = 900
_REFUSALS = {"AccessDeniedException", "ResourceNotFoundException", "InvalidArgumentException", "ValidationException"}


class AwsPorts:
    """StreamSource, Invoker, EventQueue, KinesisSink and FailureDestination at one endpoint.

    Reads, puts and invocations are not retried by the client: the engine does that, with its own backoff.

    Parameters
    ----------
    endpoint_url : str
        Such as `http://127.0.0.1:4566`.
    region : str
        AWS region.
    access_key_id : str
        Selects the account at the emulator if it is a 12-digit account id.
    """

    def __init__(self, endpoint_url: str, region: str, access_key_id: str) -> None:
        session: Any = boto3.Session(aws_access_key_id=access_key_id, aws_secret_access_key="local", region_name=region)
        once = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=_ANSWER_S,
            max_pool_connections=32,
            parameter_validation=False,
        )
        self._dynamodb: DynamoDBStreamsClient = session.client(
            "dynamodbstreams", endpoint_url=endpoint_url, config=once
        )
        self._kinesis: KinesisClient = session.client("kinesis", endpoint_url=endpoint_url, config=once)
        self._sqs: SQSClient = session.client("sqs", endpoint_url=endpoint_url)
        self._queue_urls: dict[str, str] = {}
        where = (endpoint_url, region, access_key_id)
        self._changes = SignedConnection("dynamodb", *where, timeout_s=_ANSWER_S)
        self._stream = SignedConnection("kinesis", *where, timeout_s=_ANSWER_S)
        self._functions = SignedConnection("lambda", *where, timeout_s=_LONGEST_INVOCATION_S + 10)

    def shards(self, source: Source) -> Sequence[Shard]:
        """Return the stream's shards, all pages."""
        try:
            return self._dynamodb_shards(source) if source.kind == "dynamodb" else self._kinesis_shards(source)
        except (BotoCoreError, ClientError) as error:
            raise SourceUnavailableError(str(error)) from None

    def iterator(self, source: Source, shard_id: str, position: Position) -> str:
        """Return a shard iterator."""
        try:
            if source.kind == "dynamodb":
                request: dict[str, Any] = (
                    {"SequenceNumber": position.sequence_number} if position.sequence_number else {}
                )
                return self._dynamodb.get_shard_iterator(
                    StreamArn=source.stream_arn,
                    ShardId=shard_id,
                    ShardIteratorType=cast("Any", position.kind),
                    **request,
                ).get("ShardIterator", "")
            request = {"StartingSequenceNumber": position.sequence_number} if position.sequence_number else {}
            if position.kind == "AT_TIMESTAMP":
                request["Timestamp"] = datetime.fromtimestamp(position.timestamp_ms / 1000, UTC)
            return self._kinesis.get_shard_iterator(
                StreamARN=source.stream_arn, ShardId=shard_id, ShardIteratorType=position.kind, **request
            )["ShardIterator"]
        except ClientError as error:
            raise _source_error(_code(error), str(error)) from None
        except BotoCoreError as error:
            raise SourceUnavailableError(str(error)) from None

    def records(self, source: Source, iterator: str, limit: int) -> Page:
        """Return the next page of a shard."""
        try:
            if source.kind == "dynamodb":
                page = self._changes.call(
                    "DynamoDBStreams_20120810.GetRecords", {"ShardIterator": iterator, "Limit": limit}
                )
            else:
                page = self._stream.call(
                    "Kinesis_20131202.GetRecords",
                    {"ShardIterator": iterator, "Limit": limit, "StreamARN": source.stream_arn},
                )
        except RefusedError as error:
            raise _source_error(error.code, str(error)) from None
        except UnansweredError as error:
            raise SourceUnavailableError(str(error)) from None
        record_of = _dynamodb_record if source.kind == "dynamodb" else _kinesis_record
        return Page(tuple(map(record_of, page["Records"])), page.get("NextShardIterator") or None)

    def invoke(self, function: str, event: Json) -> Invocation:
        """Invoke a function and wait."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        answer, body = self._invoke(function, payload, "RequestResponse")
        try:
            response = json.loads(body) if body else None
        except ValueError:
            response = body.decode(errors="replace")
        return Invocation(response, answer.getheader("X-Amz-Function-Error"), answer.getheader("x-amzn-RequestId", ""))

    def enqueue(self, function: str, event: str) -> None:
        """Invoke a function without waiting: its retries and its on-failure destination are the endpoint's."""
        self._invoke(function, event.encode(), "Event")

    def put_records(self, stream_arn: str, entries: Sequence[tuple[str, bytes]]) -> Sequence[str | None]:
        """Put entries in one call."""
        records = [
            {"PartitionKey": partition_key, "Data": base64.b64encode(data).decode("ascii")}
            for partition_key, data in entries
        ]
        try:
            answer = self._stream.call("Kinesis_20131202.PutRecords", {"StreamARN": stream_arn, "Records": records})
        except RefusedError as error:
            if error.code in _REFUSALS:
                raise TargetError(str(error)) from None
            raise NotReachedError(str(error)) from None
        except UnansweredError as error:
            raise NotReachedError(str(error)) from None
        return [entry.get("ErrorCode") for entry in answer["Records"]]

    def send(self, queue_arn: str, message: Mapping[str, object]) -> None:
        """Send a message to a queue."""
        try:
            if queue_arn not in self._queue_urls:
                account, name = queue_arn.split(":")[4:6]
                found = self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
                self._queue_urls[queue_arn] = found["QueueUrl"]
            self._sqs.send_message(QueueUrl=self._queue_urls[queue_arn], MessageBody=json.dumps(message))
        except (BotoCoreError, ClientError) as error:
            raise NotReachedError(str(error)) from None

    def _invoke(self, function: str, payload: bytes, invocation_type: str) -> tuple[HTTPResponse, bytes]:
        path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
        headers = {"X-Amz-Invocation-Type": invocation_type, "Content-Type": "application/json"}
        try:
            answer, body = self._functions.post(path, payload, headers)
        except UnansweredError as error:
            raise NotReachedError(str(error)) from None
        if answer.status >= 300:
            raise NotReachedError(f"invoking {function}: HTTP {answer.status}: {body.decode(errors='replace')[:500]}")
        return answer, body

    def _dynamodb_shards(self, source: Source) -> list[Shard]:
        shards: list[Shard] = []
        page: dict[str, Any] = {}
        while True:
            stream = self._dynamodb.describe_stream(StreamArn=source.stream_arn, **page)["StreamDescription"]
            for shard in stream.get("Shards", []):
                parent = shard.get("ParentShardId")
                shards.append(Shard(shard.get("ShardId", ""), (parent,) if parent else ()))
            last = stream.get("LastEvaluatedShardId")
            if not last:
                return shards
            page = {"ExclusiveStartShardId": last}

    def _kinesis_shards(self, source: Source) -> list[Shard]:
        shards: list[Shard] = []
        page: dict[str, Any] = {"StreamARN": source.stream_arn}
        while True:
            answer = self._kinesis.list_shards(**page)
            for shard in answer["Shards"]:
                parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                shards.append(Shard(shard["ShardId"], tuple(parent for parent in parents if parent)))
            token = answer.get("NextToken")
            if not token:
                return shards
            page = {"NextToken": token}


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _source_error(code: str, reason: str) -> Exception:
    match code:
        case "ExpiredIteratorException":
            return IteratorExpiredError(reason)
        case "TrimmedDataAccessException":
            return RecordsTrimmedError(reason)
        case _:
            return SourceUnavailableError(reason)


def _kinesis_record(row: dict[str, Any]) -> StreamRecord:
    arrival_ms = round(row["ApproximateArrivalTimestamp"] * 1000)
    return KinesisRecord(row["SequenceNumber"], row["PartitionKey"], arrival_ms, base64.b64decode(row["Data"]))


def _dynamodb_record(document: dict[str, Any]) -> StreamRecord:
    change = document["dynamodb"]
    created_ms = round(change["ApproximateCreationDateTime"] * 1000)
    return DynamoDBRecord(change["SequenceNumber"], canonical_key(change["Keys"]), created_ms, document)

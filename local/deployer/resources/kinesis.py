"""Amazon Kinesis data streams and their enhanced-fan-out consumers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local.deployer.errors import DeployError
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_ACTIVE_TIMEOUT_S = 30.0
_DEFAULT_RETENTION_H = 24


class Stream(ResourceType):
    token = "aws:kinesis/stream:Stream"
    mapped = frozenset(
        {
            "encryptionType",
            "enforceConsumerDeletion",
            "kmsKeyId",
            "name",
            "retentionPeriod",
            "shardCount",
            "shardLevelMetrics",
            "streamModeDetails",
            "tags",
        }
    )
    replace_on = frozenset({"name"})
    naming = Naming(max_length=128)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        name = str(inputs["name"])
        asked = {key: inputs[key] for key in ("shardCount", "streamModeDetails") if key in inputs}
        aws.kinesis.create_stream(**request("kinesis", "CreateStream", {"streamName": name, **asked}))
        _wait(aws, name)
        blank = Existing(name, {"name": name}, {})
        self._converge(aws, blank, inputs, frozenset(inputs) - {"shardCount", "streamModeDetails"})
        return Created(aws.arn("kinesis", f"stream/{name}"), self._outputs(aws, name))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        self._converge(aws, existing, inputs, changed)
        return self._outputs(aws, str(inputs["name"]))

    def delete(self, aws: Aws, existing: Existing) -> None:
        name = str(existing.inputs["name"])
        force = bool(existing.inputs.get("enforceConsumerDeletion", False))
        aws.kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=force)
        _wait(aws, name)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.kinesis.get_paginator("list_streams").paginate()
        return {aws.arn("kinesis", f"stream/{name}") for page in pages for name in page["StreamNames"]}

    def _converge(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> None:
        name = str(inputs["name"])
        if "streamModeDetails" in changed:
            mode = inputs.get("streamModeDetails", {"streamMode": "PROVISIONED"})
            arn = aws.arn("kinesis", f"stream/{name}")
            aws.kinesis.update_stream_mode(
                **request("kinesis", "UpdateStreamMode", {"streamARN": arn, "streamModeDetails": mode})
            )
        if "shardCount" in changed and "shardCount" in inputs:
            aws.kinesis.update_shard_count(
                StreamName=name, TargetShardCount=inputs["shardCount"], ScalingType="UNIFORM_SCALING"
            )
        if "retentionPeriod" in changed:
            self._retain(aws, name, existing, inputs)
        if changed & {"encryptionType", "kmsKeyId"}:
            self._encrypt(aws, name, existing, inputs)
        if "shardLevelMetrics" in changed:
            self._measure(aws, name, existing, inputs)
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.kinesis.remove_tags_from_stream(StreamName=name, TagKeys=tags.removed)
        if tags.added:
            aws.kinesis.add_tags_to_stream(StreamName=name, Tags=tags.added)
        _wait(aws, name)

    def _retain(self, aws: Aws, name: str, existing: Existing, inputs: Properties) -> None:
        old = int(existing.inputs.get("retentionPeriod", _DEFAULT_RETENTION_H))
        new = int(inputs.get("retentionPeriod", _DEFAULT_RETENTION_H))
        if new > old:
            aws.kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=new)
        elif new < old:
            aws.kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=new)

    def _encrypt(self, aws: Aws, name: str, existing: Existing, inputs: Properties) -> None:
        if existing.inputs.get("encryptionType", "NONE") != "NONE":
            aws.kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=existing.inputs["kmsKeyId"])
        if inputs.get("encryptionType", "NONE") != "NONE":
            aws.kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId=inputs["kmsKeyId"])

    def _measure(self, aws: Aws, name: str, existing: Existing, inputs: Properties) -> None:
        old_metrics = set(existing.inputs.get("shardLevelMetrics", []))
        new_metrics = set(inputs.get("shardLevelMetrics", []))
        if old_metrics - new_metrics:
            aws.kinesis.disable_enhanced_monitoring(
                StreamName=name, ShardLevelMetrics=sorted(old_metrics - new_metrics)
            )
        if new_metrics - old_metrics:
            aws.kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=sorted(new_metrics - old_metrics))

    def _outputs(self, aws: Aws, name: str) -> Properties:
        return {"arn": aws.arn("kinesis", f"stream/{name}"), "name": name}


def _wait(aws: Aws, name: str) -> None:
    """Until the stream is ACTIVE, or gone."""
    deadline = time.monotonic() + _ACTIVE_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            status = aws.kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"]
        except aws.kinesis.exceptions.ResourceNotFoundException:
            return
        if status == "ACTIVE":
            return
        time.sleep(0.05)
    raise DeployError(f"stream {name} did not settle within {_ACTIVE_TIMEOUT_S:g} s")


class StreamConsumer(ResourceType):
    """Checked and written to the state file; `local.delivery` reads the stream in its name."""

    token = "aws:kinesis/streamConsumer:StreamConsumer"
    mapped = frozenset({"name", "streamArn", "tags"})
    replace_on = frozenset({"name", "streamArn"})
    naming = Naming(max_length=128)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        request("kinesis", "RegisterStreamConsumer", without(inputs), {"name": "ConsumerName"})
        created_at_s = int(time.time())
        arn = f"{inputs['streamArn']}/consumer/{inputs['name']}:{created_at_s}"
        timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created_at_s))
        return Created(arn, {"arn": arn, "creationTimestamp": timestamp})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        return {key: existing.outputs[key] for key in ("arn", "creationTimestamp")}

    def delete(self, aws: Aws, existing: Existing) -> None:
        """Nothing exists outside the state file."""


TYPES = (Stream(), StreamConsumer())

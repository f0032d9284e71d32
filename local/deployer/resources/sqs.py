"""Amazon SQS queues and their policies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
_DEFAULTS = {
    "contentBasedDeduplication": "false",
    "delaySeconds": "0",
    "kmsDataKeyReusePeriodSeconds": "300",
    "maxMessageSize": "262144",
    "messageRetentionSeconds": "345600",
    "receiveWaitTimeSeconds": "0",
    "visibilityTimeoutSeconds": "30",
}


class Queue(ResourceType):
    token = "aws:sqs/queue:Queue"
    mapped = frozenset({"name", "tags", *_ATTRIBUTES})
    replace_on = frozenset({"name", "fifoQueue"})
    naming = Naming(max_length=80, fifo_property="fifoQueue")

    def create(self, aws: Aws, inputs: Properties) -> Created:
        # AWS rejects FifoQueue=false.
        attributes = {
            _ATTRIBUTES[key]: _text(inputs[key]) for key in inputs if key in _ATTRIBUTES and inputs[key] is not False
        }
        url = aws.sqs.create_queue(
            QueueName=inputs["name"], Attributes=cast("Any", attributes), tags=inputs["tagsAll"]
        )["QueueUrl"]
        return Created(url, self._outputs(aws, url, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        attributes = {
            _ATTRIBUTES[key]: _text(inputs.get(key, _DEFAULTS.get(key, ""))) for key in changed if key in _ATTRIBUTES
        }
        if attributes:
            aws.sqs.set_queue_attributes(QueueUrl=existing.id, Attributes=cast("Any", attributes))
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.sqs.untag_queue(QueueUrl=existing.id, TagKeys=tags.removed)
        if tags.added:
            aws.sqs.tag_queue(QueueUrl=existing.id, Tags=tags.added)
        return self._outputs(aws, existing.id, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        url = aws.sqs.get_queue_url(QueueName=existing.inputs["name"])["QueueUrl"]
        aws.sqs.delete_queue(QueueUrl=url)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.sqs.get_paginator("list_queues").paginate()
        # An emulator that came back on another port still lists a queue under the URL it was created with.
        return {aws.endpoint_url + urlsplit(url).path for page in pages for url in page.get("QueueUrls", [])}

    def _outputs(self, aws: Aws, url: str, inputs: Properties) -> Properties:
        return {"arn": aws.arn("sqs", str(inputs["name"])), "url": url, "name": inputs["name"]}


class QueuePolicy(ResourceType):
    token = "aws:sqs/queuePolicy:QueuePolicy"
    mapped = frozenset({"policy", "queueUrl"})
    replace_on = frozenset({"queueUrl"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.sqs.set_queue_attributes(QueueUrl=inputs["queueUrl"], Attributes={"Policy": _text(inputs["policy"])})
        return Created(str(inputs["queueUrl"]), {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        aws.sqs.set_queue_attributes(QueueUrl=existing.id, Attributes={"Policy": _text(inputs["policy"])})
        return {}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.sqs.set_queue_attributes(QueueUrl=existing.id, Attributes={"Policy": ""})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


TYPES = (Queue(), QueuePolicy())

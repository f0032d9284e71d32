"""Amazon SNS topics, their policies and subscriptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, tag_list

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_TOPIC_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_SUBSCRIPTION_ATTRIBUTES = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}


class Topic(ResourceType):
    token = "aws:sns/topic:Topic"
    mapped = frozenset({"name", "tags", *_TOPIC_ATTRIBUTES})
    replace_on = frozenset({"name", "fifoTopic"})
    naming = Naming(max_length=256, fifo_property="fifoTopic")

    def create(self, aws: Aws, inputs: Properties) -> Created:
        attributes = {_TOPIC_ATTRIBUTES[key]: _text(inputs[key]) for key in inputs if key in _TOPIC_ATTRIBUTES}
        arn = aws.sns.create_topic(
            Name=inputs["name"], Attributes=attributes, Tags=cast("Any", tag_list(inputs["tagsAll"]))
        )["TopicArn"]
        return Created(arn, self._outputs(aws, arn))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        for key in sorted(changed & _TOPIC_ATTRIBUTES.keys()):
            value = _text(inputs.get(key, ""))
            aws.sns.set_topic_attributes(
                TopicArn=existing.id, AttributeName=_TOPIC_ATTRIBUTES[key], AttributeValue=value
            )
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.sns.untag_resource(ResourceArn=existing.id, TagKeys=tags.removed)
        if tags.added:
            aws.sns.tag_resource(ResourceArn=existing.id, Tags=cast("Any", tags.added_list))
        return self._outputs(aws, existing.id)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.sns.delete_topic(TopicArn=aws.arn("sns", str(existing.inputs["name"])))

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.sns.get_paginator("list_topics").paginate()
        return {topic.get("TopicArn", "") for page in pages for topic in page["Topics"]}

    def _outputs(self, aws: Aws, arn: str) -> Properties:
        return {"arn": arn, "name": arn.rsplit(":", 1)[-1], "owner": aws.account_id}


class TopicPolicy(ResourceType):
    token = "aws:sns/topicPolicy:TopicPolicy"
    mapped = frozenset({"arn", "policy"})
    replace_on = frozenset({"arn"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        self._put(aws, inputs)
        return Created(str(inputs["arn"]), {"owner": aws.account_id})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        self._put(aws, inputs)
        return {"owner": aws.account_id}

    def delete(self, aws: Aws, existing: Existing) -> None:
        """A topic without a policy does not exist in AWS; the provider, too, leaves the last one until the topic
        goes.
        """

    def _put(self, aws: Aws, inputs: Properties) -> None:
        aws.sns.set_topic_attributes(
            TopicArn=inputs["arn"], AttributeName="Policy", AttributeValue=_text(inputs["policy"])
        )


class TopicSubscription(ResourceType):
    token = "aws:sns/topicSubscription:TopicSubscription"
    mapped = frozenset({"endpoint", "protocol", "topic", *_SUBSCRIPTION_ATTRIBUTES})
    ignored = {  # noqa: RUF012 - a ClassVar of the base
        "confirmationTimeoutInMinutes": "the emulator confirms at once",
        "endpointAutoConfirms": "the emulator confirms at once",
    }
    replace_on = frozenset({"endpoint", "protocol", "topic"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        attributes = {
            _SUBSCRIPTION_ATTRIBUTES[key]: _text(inputs[key]) for key in inputs if key in _SUBSCRIPTION_ATTRIBUTES
        }
        arn = aws.sns.subscribe(
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return Created(arn, {"arn": arn, "ownerId": aws.account_id})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        for key in sorted(changed & _SUBSCRIPTION_ATTRIBUTES.keys()):
            aws.sns.set_subscription_attributes(
                SubscriptionArn=existing.id,
                AttributeName=_SUBSCRIPTION_ATTRIBUTES[key],
                AttributeValue=_text(inputs.get(key, "")),
            )
        return {"arn": existing.id, "ownerId": aws.account_id}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.sns.unsubscribe(SubscriptionArn=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.sns.get_paginator("list_subscriptions").paginate()
        return {entry.get("SubscriptionArn", "") for page in pages for entry in page["Subscriptions"]}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


TYPES = (Topic(), TopicPolicy(), TopicSubscription())

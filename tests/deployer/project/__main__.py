"""A small program with most kinds of resources; its configuration lets a test change each of them."""

import json
import os

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
greeting = config.require("greeting")
hash_key = config.require("hashKey")


class Mailbox(pulumi.ComponentResource):
    """A queue inside a component."""

    def __init__(self, name: str) -> None:
        super().__init__("sample:index:Mailbox", name)
        self.queue = aws.sqs.Queue(
            f"{name}-queue",
            message_retention_seconds=config.require_int("retentionSeconds"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"url": self.queue.url})


mailbox = Mailbox("letters")
table = aws.dynamodb.Table(
    "notes",
    attributes=[{"name": hash_key, "type": "S"}],
    hash_key=hash_key,
    billing_mode="PAY_PER_REQUEST",
    stream_enabled=True,
    stream_view_type="NEW_IMAGE",
    tags={"use": "test"},
)
role = aws.iam.Role(
    "greeter-role",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    ),
)
aws.iam.RolePolicy(
    "greeter-reads",
    role=role.name,
    policy=pulumi.Output.json_dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": table.arn}],
        }
    ),
)
if config.require_bool("crash"):
    # The process dies once the table exists, in the middle of the deployment.
    table.arn.apply(lambda _: os._exit(9))
logs = aws.cloudwatch.LogGroup("greeter-logs", retention_in_days=1, opts=pulumi.ResourceOptions(depends_on=[table]))
greeter = aws.lambda_.Function(
    "greeter",
    role=role.arn,
    runtime="python3.13",
    handler="greeter.handler",
    code=pulumi.AssetArchive(
        {"greeter.py": pulumi.StringAsset(f"def handler(event, context):\n    print('x')\n    return {greeting!r}\n")}
    ),
    environment={"variables": {"TABLE": table.name, "QUEUE": mailbox.queue.url}},
    logging_config={"log_format": "JSON", "log_group": logs.name},
)
aws.lambda_.EventSourceMapping(
    "notes-to-greeter",
    event_source_arn=table.stream_arn,
    function_name=greeter.arn,
    starting_position="TRIM_HORIZON",
    destination_config={"on_failure": {"destination_arn": mailbox.queue.arn}},
)
if config.require_bool("withTopic"):
    aws.sns.Topic("news")

pulumi.export("table", table.name)
pulumi.export("queue", mailbox.queue.url)
pulumi.export("function", greeter.name)
pulumi.export("secret", pulumi.Output.secret("in the clear"))

"""One function that makes any call it is told to, and one thing it may do: read an item of a table."""

import json

import pulumi
import pulumi_aws as aws

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
HANDLER = """
import boto3

def handler(event, context):
    client = boto3.client(event["service"])
    try:
        getattr(client, event["call"])(**event["request"])
    except client.exceptions.ClientError as error:
        print(error)
        return error.response["Error"]["Code"]
    return "done"
"""

table = aws.dynamodb.Table(
    "notes",
    attributes=[{"name": "id", "type": "S"}, {"name": "author", "type": "S"}],
    hash_key="id",
    billing_mode="PAY_PER_REQUEST",
    global_secondary_indexes=[{"name": "by-author", "hash_key": "author", "projection_type": "ALL"}],
)
queue = aws.sqs.Queue("letters")
role = aws.iam.Role("caller-role", assume_role_policy=json.dumps(TRUST))
statement = {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": [table.arn]}
policy = pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": [statement]})
aws.iam.RolePolicy("caller-reads", role=role.name, policy=policy)
logs = aws.cloudwatch.LogGroup("caller-logs", retention_in_days=1)
caller = aws.lambda_.Function(
    "caller",
    role=role.arn,
    runtime="python3.13",
    handler="caller.handler",
    timeout=30,
    logging_config={"log_format": "JSON", "log_group": logs.name},
    code=pulumi.AssetArchive({"caller.py": pulumi.StringAsset(HANDLER)}),
)
pulumi.export("table", table.name)
pulumi.export("queue", queue.url)
pulumi.export("function", caller.name)

"""Every resource type can be made, changed in place as far as AWS changes it in place, and deleted."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from local.deployer.archives import Content
from local.deployer.aws import Aws
from local.deployer.errors import DeployError
from local.deployer.reconcile import Reconciler, Registration
from local.deployer.resources import RESOURCE_TYPES
from local.deployer.state import read_state
from local.emulator import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.emulator import Emulator

_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/worker"
_QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT_ID}:dead"
_STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT_ID}:stream/orders"
_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:B"], "Resource": "*"}]}'
_INDEX = {
    "name": "by-b",
    "keySchemas": [{"attributeName": "b", "keyType": "HASH"}, {"attributeName": "a", "keyType": "RANGE"}],
    "projectionType": "ALL",
}
_TABLE = {"hashKey": "a", "attributes": [{"name": "a", "type": "S"}], "billingMode": "PAY_PER_REQUEST"}
_EMPTY_ZIP = Content(b"PK\x05\x06" + bytes(18), "empty")
_FUNCTION = {"role": _ROLE, "runtime": "python3.13", "handler": "a.b", "code": _EMPTY_ZIP}
_MAPPING = {"functionName": "f", "eventSourceArn": _STREAM, "startingPosition": "TRIM_HORIZON"}
_PIPE = {"roleArn": _ROLE, "source": _STREAM, "target": _STREAM}
_CALL = {"arn": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:f", "roleArn": _ROLE}
_SCHEDULE = {
    "scheduleExpression": "rate(5 minutes)",
    "flexibleTimeWindow": {"mode": "OFF"},
    "target": _CALL,
}
_ALARM = {"comparisonOperator": "GreaterThanThreshold", "evaluationPeriods": 1, "threshold": 0}
_TOKENS = {"authType": "AMAZON_COGNITO_USER_POOLS", "cognitoConfig": {"awsRegion": "us-east-1", "userPoolId": "p"}}
_EVENTS = {
    "authProviders": [_TOKENS, {"authType": "AWS_IAM"}],
    "connectionAuthModes": [{"authType": "AMAZON_COGNITO_USER_POOLS"}],
    "defaultPublishAuthModes": [{"authType": "AWS_IAM"}],
    "defaultSubscribeAuthModes": [{"authType": "AMAZON_COGNITO_USER_POOLS"}],
}
_METRIC = {"metricName": "Errors", "namespace": "AWS/Lambda", "period": 60, "stat": "Sum", "dimensions": {"F": "g"}}

_CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "aws:dynamodb/table:Table": (
        _TABLE,
        {
            **_TABLE,
            "attributes": [*_TABLE["attributes"], {"name": "b", "type": "N"}],
            "globalSecondaryIndexes": [_INDEX],
            "ttl": {"attributeName": "expires", "enabled": True},
            "pointInTimeRecovery": {"enabled": True},
            "streamEnabled": True,
            "streamViewType": "NEW_AND_OLD_IMAGES",
            "deletionProtectionEnabled": True,
            "tags": {"use": "test"},
        },
    ),
    "aws:lambda/function:Function": (
        {**_FUNCTION, "environment": {"variables": {"A": "1"}}, "reservedConcurrentExecutions": 2},
        {**_FUNCTION, "timeout": 20, "memorySize": 512, "loggingConfig": {"logFormat": "JSON"}, "tags": {"a": "b"}},
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        _MAPPING,
        {**_MAPPING, "batchSize": 500, "destinationConfig": {"onFailure": {"destinationArn": _QUEUE}}},
    ),
    "aws:pipes/pipe:Pipe": (
        _PIPE,
        {
            **_PIPE,
            "sourceParameters": {
                "filterCriteria": {"filters": [{"pattern": "{}"}]},
                "kinesisStreamParameters": {"startingPosition": "LATEST", "deadLetterConfig": {"arn": _QUEUE}},
            },
            "targetParameters": {"kinesisStreamParameters": {"partitionKey": "$.data"}},
        },
    ),
    "aws:scheduler/schedule:Schedule": (
        _SCHEDULE,
        {
            **_SCHEDULE,
            "scheduleExpression": "cron(0 3 * * ? *)",
            "scheduleExpressionTimezone": "Europe/Berlin",
            "state": "DISABLED",
            "target": {
                **_CALL,
                "input": "{}",
                "retryPolicy": {"maximumRetryAttempts": 3, "maximumEventAgeInSeconds": 60},
                "deadLetterConfig": {"arn": _QUEUE},
            },
        },
    ),
    "aws:iam/role:Role": (
        {"assumeRolePolicy": _POLICY, "tags": {"a": "1"}},
        {"assumeRolePolicy": _POLICY, "description": "works", "maxSessionDuration": 7200, "tags": {"b": "2"}},
    ),
    "aws:cloudwatch/logGroup:LogGroup": ({"retentionInDays": 1}, {"tags": {"a": "b"}}),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        {**_ALARM, "metricQueries": [{"id": "m", "metric": _METRIC, "returnData": True}]},
        {**_ALARM, "threshold": 5, "metricName": "Errors", "namespace": "AWS/Lambda", "period": 60, "statistic": "Sum"},
    ),
    "aws:sqs/queue:Queue": (
        {"fifoQueue": True, "tags": {"a": "1"}},
        {"fifoQueue": True, "contentBasedDeduplication": True, "visibilityTimeoutSeconds": 60},
    ),
    "aws:kinesis/stream:Stream": (
        {"shardCount": 1, "encryptionType": "KMS", "kmsKeyId": "alias/aws/kinesis"},
        {"shardCount": 2, "retentionPeriod": 48, "shardLevelMetrics": ["IncomingBytes"], "tags": {"a": "b"}},
    ),
    "aws:kinesis/streamConsumer:StreamConsumer": ({"streamArn": _STREAM}, {"streamArn": _STREAM, "tags": {"a": "b"}}),
    "aws:s3/bucket:Bucket": ({"forceDestroy": True}, {"forceDestroy": False, "tags": {"a": "b"}}),
    "aws:sns/topic:Topic": ({"displayName": "News"}, {"displayName": "Old news", "tags": {"a": "b"}}),
    "aws:cognito/userPool:UserPool": (
        {"passwordPolicy": {"minimumLength": 12}, "deletionProtection": "ACTIVE"},
        {
            "passwordPolicy": {"minimumLength": 14},
            "mfaConfiguration": "OPTIONAL",
            "softwareTokenMfaConfiguration": {"enabled": True},
            "deletionProtection": "ACTIVE",
            "tags": {"a": "b"},
        },
    ),
    "aws:appsync/api:Api": (
        {"eventConfig": {**_EVENTS, "logConfig": {"cloudwatchLogsRoleArn": _ROLE, "logLevel": "ERROR"}}},
        {
            "eventConfig": {
                "authProviders": [
                    {"authType": "OPENID_CONNECT", "openidConnectConfig": {"issuer": "https://a", "clientId": "b"}},
                    {"authType": "AWS_IAM"},
                ],
                "connectionAuthModes": [{"authType": "OPENID_CONNECT"}],
                "defaultPublishAuthModes": [{"authType": "AWS_IAM"}],
                "defaultSubscribeAuthModes": [{"authType": "OPENID_CONNECT"}],
            },
            "tags": {"a": "b"},
        },
    ),
    "aws:apigatewayv2/api:Api": (
        {"protocolType": "HTTP", "corsConfiguration": {"allowOrigins": ["https://a"]}},
        {"protocolType": "HTTP", "description": "The API", "tags": {"a": "b"}},
    ),
}


class Stack:
    """Resources of one stack, without a program."""

    def __init__(self, aws: Aws, path: Path) -> None:
        self.aws = aws
        self.path = path

    def up(self, *steps: tuple[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
        """Register resources; returns id and outputs of each."""
        self.reconciler = Reconciler(self.aws, RESOURCE_TYPES, read_state(self.path), self.path)
        made = [
            self.reconciler.register(
                Registration(f"urn::{kind}::thing-{number}", kind, f"thing-{number}", "", custom=True, inputs=inputs)
            )
            for number, (kind, inputs) in enumerate(steps)
        ]
        self.reconciler.finish({})
        return [(resource.id, resource.outputs) for resource in made]

    def down(self) -> None:
        """Delete all of them."""
        Reconciler(self.aws, RESOURCE_TYPES, read_state(self.path), self.path).destroy()


@pytest.fixture
def stack(emulator: Emulator, tmp_path: Path) -> Iterator[Stack]:
    aws = Aws(emulator.endpoint_url, ACCOUNT_ID, "us-east-1")
    # The emulator, as Lambda, wants a function's role to exist.
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    aws.iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    stack = Stack(aws, tmp_path / "state.json")
    yield stack
    stack.down()
    aws.iam.delete_role(RoleName="worker")
    assert {name for kind in RESOURCE_TYPES.values() for name in kind.listing(aws) or ()} == set()


@pytest.mark.parametrize("token", _CHANGES)
def test_a_change_and_its_reversal_happen_in_place(stack: Stack, token: str) -> None:
    before, after = _CHANGES[token]
    (created,) = stack.up((token, before))
    for inputs in (after, before):
        (changed,) = stack.up((token, inputs))
        assert changed[0] == created[0], "the same resource"
        assert dict(stack.reconciler.changes) == {"updated": 1}
        stack.up((token, inputs))
        assert dict(stack.reconciler.changes) == {"unchanged": 1}


def test_resources_that_hang_on_others(stack: Stack) -> None:
    """Routes, stages, policies and the like: made, changed, and gone with what they hang on."""
    roots: list[tuple[str, dict[str, Any]]] = [
        ("aws:apigatewayv2/api:Api", {"protocolType": "HTTP"}),
        ("aws:appsync/api:Api", {"eventConfig": _EVENTS}),
        ("aws:iam/role:Role", {"assumeRolePolicy": _POLICY}),
        ("aws:sns/topic:Topic", {}),
        ("aws:sqs/queue:Queue", {}),
        ("aws:cognito/userPool:UserPool", {}),
        ("aws:lambda/function:Function", _FUNCTION),
        ("aws:lambda/layerVersion:LayerVersion", {"layerName": "libraries", "code": _EMPTY_ZIP}),
        ("aws:s3/bucket:Bucket", {"forceDestroy": True}),
    ]
    api_id, event_api_id, role_name, topic_arn, queue_url, pool_id, function_name, _, bucket = (
        identifier for identifier, _ in stack.up(*roots)
    )

    def leaves(last: bool) -> list[tuple[str, dict[str, Any]]]:
        stage = (
            {"accessLogSettings": {"destinationArn": "arn:aws:logs:::g", "format": "$context.status"}} if last else {}
        )
        return [
            (
                "aws:apigatewayv2/integration:Integration",
                {
                    "apiId": api_id,
                    "integrationType": "HTTP_PROXY",
                    "integrationMethod": "GET",
                    "integrationUri": "http://127.0.0.1:1/b" if last else "http://127.0.0.1:1/a",
                    "timeoutMilliseconds": 5000,
                },
            ),
            (
                "aws:apigatewayv2/route:Route",
                {"apiId": api_id, "routeKey": "GET /a", "authorizationScopes": ["shop/read", *(["shop/write"] * last)]},
            ),
            (
                "aws:apigatewayv2/authorizer:Authorizer",
                {
                    "apiId": api_id,
                    "authorizerType": "JWT",
                    "identitySources": ["$request.header.Authorization"],
                    "jwtConfiguration": {"issuer": "https://a", "audiences": ["c" if last else "d"]},
                },
            ),
            (
                "aws:appsync/channelNamespace:ChannelNamespace",
                {
                    "apiId": event_api_id,
                    "name": "news",
                    "codeHandlers": f"export function onSubscribe(ctx) {{ return {str(last).lower()} }}",
                    **({"tags": {"a": "b"}} if last else {}),
                },
            ),
            ("aws:apigatewayv2/stage:Stage", {"apiId": api_id, "name": "$default", "autoDeploy": True, **stage}),
            ("aws:iam/rolePolicy:RolePolicy", {"role": role_name, "policy": _POLICY + (" " if last else "")}),
            ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", {"role": role_name, "policyArn": _managed(last)}),
            ("aws:sns/topicPolicy:TopicPolicy", {"arn": topic_arn, "policy": _POLICY + (" " if last else "")}),
            (
                "aws:sns/topicSubscription:TopicSubscription",
                {"topic": topic_arn, "protocol": "sqs", "endpoint": _QUEUE, "rawMessageDelivery": last},
            ),
            ("aws:sqs/queuePolicy:QueuePolicy", {"queueUrl": queue_url, "policy": _POLICY + (" " if last else "")}),
            (
                "aws:cognito/resourceServer:ResourceServer",
                {
                    "userPoolId": pool_id,
                    "identifier": "shop",
                    "scopes": [
                        {"scopeName": name, "scopeDescription": "Look" if name == "read" else "Change"}
                        for name in (("read", "write") if last else ("read",))
                    ],
                },
            ),
            (
                "aws:cognito/userPoolClient:UserPoolClient",
                {
                    "userPoolId": pool_id,
                    "accessTokenValidity": 2 if last else 1,
                    "generateSecret": True,
                    "allowedOauthFlowsUserPoolClient": True,
                    "allowedOauthFlows": ["client_credentials"],
                    "allowedOauthScopes": ["shop/read"],
                },
            ),
            (
                "aws:cognito/userPoolDomain:UserPoolDomain",
                {"userPoolId": pool_id, "domain": "shop-b" if last else "shop-a"},
            ),
            (
                "aws:lambda/alias:Alias",
                {
                    "functionName": function_name,
                    "functionVersion": "$LATEST",
                    "name": "live",
                    **({"description": "What is called"} if last else {}),
                },
            ),
            (
                "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig",
                {
                    "functionName": function_name,
                    "qualifier": "live",
                    "provisionedConcurrentExecutions": 2 if last else 1,
                },
            ),
            (
                "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
                {
                    "functionName": function_name,
                    "maximumRetryAttempts": 2 if last else 0,
                    "maximumEventAgeInSeconds": 60,
                    "destinationConfig": {"onFailure": {"destination": _QUEUE}},
                },
            ),
            (
                "aws:lambda/permission:Permission",
                {
                    "function": function_name,
                    "action": "lambda:InvokeFunction",
                    "principal": "sns.amazonaws.com" if last else "sqs.amazonaws.com",
                    "statementId": "may-call",
                },
            ),
            (
                "aws:s3/bucketVersioning:BucketVersioning",
                {"bucket": bucket, "versioningConfiguration": {"status": "Suspended" if last else "Enabled"}},
            ),
            (
                "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
                {
                    "bucket": bucket,
                    "rules": [
                        {
                            "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                            "bucketKeyEnabled": last,
                        }
                    ],
                },
            ),
            (
                "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
                {"bucket": bucket, "blockPublicAcls": True, "ignorePublicAcls": last},
            ),
            ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": _POLICY + (" " if last else "")}),
            (
                "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
                {
                    "bucket": bucket,
                    "rules": [
                        {
                            "id": "cold",
                            "status": "Enabled",
                            "filter": {"objectSizeGreaterThan": 131072},
                            "transitions": [{"days": 90 if last else 30, "storageClass": "GLACIER_IR"}],
                        }
                    ],
                },
            ),
        ]

    covered = {kind for kind, _ in [*roots, *leaves(last=False)]} | _CHANGES.keys()
    assert covered == RESOURCE_TYPES.keys(), "this file has a case for every type"
    stack.up(*roots, *leaves(last=False))
    stack.up(*roots, *leaves(last=True))
    changes = stack.reconciler.changes
    assert (changes["updated"], changes["replaced"], changes["unchanged"]) == (19, 3, len(roots))


@pytest.mark.parametrize("mode", ["API_KEY", "AWS_LAMBDA"])
def test_an_event_api_that_cannot_be_served_is_refused(stack: Stack, mode: str) -> None:
    config = {**_EVENTS, "connectionAuthModes": [{"authType": mode}]}
    with pytest.raises(DeployError, match=rf"eventConfig\.connectionAuthModes: {mode} does not exist locally"):
        stack.up(("aws:appsync/api:Api", {"eventConfig": config}))


def test_an_event_api_has_the_hosts_of_aws(stack: Stack) -> None:
    ((api_id, outputs),) = stack.up(("aws:appsync/api:Api", {"eventConfig": _EVENTS}))
    assert outputs["dns"] == {
        "HTTP": f"{api_id}.appsync-api.us-east-1.amazonaws.com",
        "REALTIME": f"{api_id}.appsync-realtime-api.us-east-1.amazonaws.com",
    }


def test_a_function_imports_from_its_layer_and_sees_the_next_version(stack: Stack) -> None:
    def deploy(version: int, greeting: str) -> Any:
        layer = {"layerName": "greetings", "code": _zip(**{"python/greetings/__init__.py": f"TEXT = {greeting!r}"})}
        handler = _zip(**{"handler.py": "from greetings import TEXT\n\ndef handle(event, context):\n    return TEXT\n"})
        layer_arn = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:layer:greetings:{version}"
        function = {**_FUNCTION, "handler": "handler.handle", "code": handler, "layers": [layer_arn]}
        (layer_id, outputs), (name, _) = stack.up(
            ("aws:lambda/layerVersion:LayerVersion", layer), ("aws:lambda/function:Function", function)
        )
        assert layer_id == outputs["arn"] == layer_arn == f"{outputs['layerArn']}:{outputs['version']}"
        return name, json.loads(stack.aws.lambda_.invoke(FunctionName=name)["Payload"].read())

    name, text = deploy(1, "hello")
    assert text == "hello"
    assert deploy(2, "goodbye") == (name, "goodbye")
    assert len(RESOURCE_TYPES["aws:lambda/layerVersion:LayerVersion"].listing(stack.aws) or ()) == 1
    stack.aws.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")


def test_an_alias_calls_the_version_that_was_published_last(stack: Stack) -> None:
    def deploy(version: int, text: str) -> Any:
        code = _zip(**{"handler.py": f"def handle(event, context):\n    return {text!r}\n"})
        function = {**_FUNCTION, "name": "warm", "handler": "handler.handle", "code": code, "publish": True}
        alias = {"name": "live", "functionName": "warm", "functionVersion": str(version)}
        warm = {"functionName": "warm", "qualifier": "live", "provisionedConcurrentExecutions": version}
        (_, made), (_, called), _ = stack.up(
            ("aws:lambda/function:Function", function),
            ("aws:lambda/alias:Alias", alias),
            ("aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig", warm),
        )
        assert (made["version"], called["arn"]) == (str(version), f"{made['arn']}:live")
        kept = stack.aws.lambda_.get_provisioned_concurrency_config(FunctionName="warm", Qualifier="live")
        assert kept.get("RequestedProvisionedConcurrentExecutions") == version
        return json.loads(stack.aws.lambda_.invoke(FunctionName=called["arn"])["Payload"].read())

    assert (deploy(1, "first"), deploy(2, "second")) == ("first", "second")
    stack.up()
    stack.aws.logs.delete_log_group(logGroupName="/aws/lambda/warm")


@pytest.mark.parametrize("kept", [False, True])
def test_a_bucket_with_objects_is_deleted_only_if_that_is_meant(stack: Stack, kept: bool) -> None:
    ((name, outputs),) = stack.up(("aws:s3/bucket:Bucket", {"forceDestroy": not kept}))
    assert outputs["arn"] == f"arn:aws:s3:::{name}"
    stack.aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        stack.aws.s3.put_object(Bucket=name, Key="a", Body=body)
    if kept:
        with pytest.raises(DeployError, match="BucketNotEmpty"):
            stack.up()
    else:
        stack.up()
        assert stack.aws.s3.list_buckets()["Buckets"] == []


def test_a_bucket_policy_leaves_out_what_the_emulator_cannot_judge(stack: Stack) -> None:
    ((bucket, _),) = stack.up(("aws:s3/bucket:Bucket", {"forceDestroy": True}))
    everybody = {"Effect": "Deny", "Principal": "*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    kept = {**everybody, "Action": "s3:DeleteObject"}
    tls = {**everybody, "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    once = {**everybody, "Action": "s3:PutObject", "Condition": {"Null": {"s3:if-none-match": "true"}}}
    for statements, left in (([tls, kept, once], [kept]), ([tls, once], [])):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        stack.up(
            ("aws:s3/bucket:Bucket", {"forceDestroy": True}),
            ("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": policy}),
        )
        assert json.loads(stack.aws.s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"] == left


def _zip(**members: str) -> Content:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    data = buffer.getvalue()
    return Content(data, base64.b64encode(hashlib.sha256(data).digest()).decode())


def _managed(last: bool) -> str:
    return f"arn:aws:iam::aws:policy/{'ReadOnlyAccess' if last else 'SecurityAudit'}"

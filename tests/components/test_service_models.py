"""What programs ask for is what AWS's own service models allow, in every environment and every example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.components.graph import ENVIRONMENTS, EXAMPLES, Graph, Node, environment_graph, example_graph
from tests.components.rules import statements
from tests.components.service_models import has_action, in_service_case, violations

if TYPE_CHECKING:
    from collections.abc import Callable

Request = tuple[str, str, dict[str, Any]]


def _table(node: Node) -> Request:
    inputs = node.inputs
    keys = [("HASH", inputs["hashKey"])] + ([("RANGE", inputs["rangeKey"])] if "rangeKey" in inputs else [])
    indexes = {
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index["name"],
                "KeySchema": in_service_case(index["keySchemas"], {}),
                "Projection": {
                    "ProjectionType": index["projectionType"],
                    **({"NonKeyAttributes": index["nonKeyAttributes"]} if "nonKeyAttributes" in index else {}),
                },
            }
            for index in inputs.get("globalSecondaryIndexes", [])
        ]
    }
    stream = {"StreamEnabled": inputs["streamEnabled"]}
    if inputs["streamEnabled"]:
        stream["StreamViewType"] = inputs["streamViewType"]
    return (
        "dynamodb",
        "CreateTable",
        {
            "TableName": node.outputs["name"],
            "AttributeDefinitions": [
                {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
                for attribute in inputs["attributes"]
            ],
            "KeySchema": [{"KeyType": kind, "AttributeName": name} for kind, name in keys],
            "BillingMode": inputs["billingMode"],
            "SSESpecification": {"Enabled": inputs["serverSideEncryption"]["enabled"]},
            "StreamSpecification": stream,
            "DeletionProtectionEnabled": inputs["deletionProtectionEnabled"],
            **(indexes if inputs.get("globalSecondaryIndexes") else {}),
        },
    )


def _function(node: Node) -> Request:
    parameters = in_service_case({**node.inputs, "code": {}}, {})
    parameters.pop("Publish", None)
    return "lambda", "CreateFunction", {"FunctionName": node.outputs["name"], **parameters}


def _layer(node: Node) -> Request:
    return "lambda", "PublishLayerVersion", in_service_case({**node.inputs, "code": {}}, {"code": "Content"})


def _asynchronous_calls(node: Node) -> Request:
    return "lambda", "PutFunctionEventInvokeConfig", in_service_case(node.inputs, {})


def _schedule(node: Node) -> Request:
    return "scheduler", "CreateSchedule", {"Name": node.outputs["name"], **in_service_case(node.inputs, {})}


def _event_source_mapping(node: Node) -> Request:
    return "lambda", "CreateEventSourceMapping", in_service_case(node.inputs, {"destinationArn": "Destination"})


def _pipe(node: Node) -> Request:
    parameters = in_service_case(node.inputs, {"dynamodbStreamParameters": "DynamoDBStreamParameters"})
    return "pipes", "CreatePipe", {"Name": node.outputs["name"], **parameters}


def _alarm(node: Node) -> Request:
    inputs = {**node.inputs}
    dimensions = [{"Name": name, "Value": value} for name, value in inputs.pop("dimensions").items()]
    parameters = in_service_case(inputs, {"okActions": "OKActions"})
    return "cloudwatch", "PutMetricAlarm", {"AlarmName": node.outputs["name"], "Dimensions": dimensions, **parameters}


def _user_pool(node: Node) -> Request:
    inputs = {key: value for key, value in node.inputs.items() if key != "softwareTokenMfaConfiguration"}
    policies = in_service_case({"passwordPolicy": inputs.pop("passwordPolicy")}, {})
    parameters = in_service_case(inputs, {})
    return "cognito-idp", "CreateUserPool", {"PoolName": node.outputs["name"], "Policies": policies, **parameters}


def _user_pool_client(node: Node) -> Request:
    renamed = {
        "allowedOauthFlows": "AllowedOAuthFlows",
        "allowedOauthFlowsUserPoolClient": "AllowedOAuthFlowsUserPoolClient",
        "allowedOauthScopes": "AllowedOAuthScopes",
    }
    parameters = in_service_case(node.inputs, renamed)
    return "cognito-idp", "CreateUserPoolClient", {"ClientName": node.outputs["name"], **parameters}


def _resource_server(node: Node) -> Request:
    return "cognito-idp", "CreateResourceServer", in_service_case(node.inputs, {})


def _user_pool_domain(node: Node) -> Request:
    return "cognito-idp", "CreateUserPoolDomain", in_service_case(node.inputs, {})


def _event_api(operation: str) -> Callable[[Node], Request]:
    renamed = {"OpenidConnectConfig": "openIDConnectConfig", "CloudwatchLogsRoleArn": "cloudWatchLogsRoleArn"}

    def camel_case(value: Any) -> Any:
        """This service's members begin with a small letter."""
        if isinstance(value, list):
            return [camel_case(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {
                renamed.get(name, name[0].lower() + name[1:]): camel_case(member) for name, member in members.items()
            }
        return value

    def request(node: Node) -> Request:
        return "appsync", operation, {"name": node.outputs["name"], **camel_case(in_service_case(node.inputs, {}))}

    return request


def _api(operation: str, renamed: dict[str, str]) -> Callable[[Node], Request]:
    def request(node: Node) -> Request:
        parameters = in_service_case(
            node.inputs, {"audiences": "Audience", "identitySources": "IdentitySource", **renamed}
        )
        if "Name" in renamed.values():
            parameters["Name"] = node.outputs["name"]
        return "apigatewayv2", operation, parameters

    return request


def _permission(node: Node) -> Request:
    renamed = {"function": "FunctionName"}
    return "lambda", "AddPermission", {"StatementId": node.outputs["name"], **in_service_case(node.inputs, renamed)}


def _role(node: Node) -> Request:
    renamed = {"assumeRolePolicy": "AssumeRolePolicyDocument"}
    return "iam", "CreateRole", {"RoleName": node.outputs["name"], **in_service_case(node.inputs, renamed)}


def _role_policy(node: Node) -> Request:
    renamed = {"role": "RoleName", "policy": "PolicyDocument"}
    return "iam", "PutRolePolicy", {"PolicyName": node.outputs["name"], **in_service_case(node.inputs, renamed)}


def _queue(node: Node) -> Request:
    # Queue attributes are text in the service: names are its enum, values go as strings.
    renamed = {"sqsManagedSseEnabled": "SqsManagedSseEnabled", "messageRetentionSeconds": "MessageRetentionPeriod"}
    attributes = {key: str(value) for key, value in in_service_case(node.inputs, renamed).items()}
    return "sqs", "CreateQueue", {"QueueName": node.outputs["name"], "Attributes": attributes}


def _stream(node: Node) -> Request:
    inputs = node.inputs
    return (
        "kinesis",
        "StartStreamEncryption",
        {"StreamName": node.outputs["name"], "EncryptionType": inputs["encryptionType"], "KeyId": inputs["kmsKeyId"]},
    )


def _fan_out(node: Node) -> Request:
    renamed = {"streamArn": "StreamARN"}
    return (
        "kinesis",
        "RegisterStreamConsumer",
        {"ConsumerName": node.outputs["name"], **in_service_case(node.inputs, renamed)},
    )


def _bucket(operation: str, member: str | None = None) -> Callable[[Node], Request]:
    """A setting of a bucket; those of its properties that go into one structure of the request go into `member`."""

    def request(node: Node) -> Request:
        setting = in_service_case(
            {key: value for key, value in node.inputs.items() if key != "bucket"}, {"sseAlgorithm": "SSEAlgorithm"}
        )
        parameters = setting if member is None else {member: setting}
        return "s3", operation, {"Bucket": node.outputs["bucket"], **parameters}

    return request


REQUESTS: dict[str, Callable[[Node], Request]] = {
    "aws:dynamodb/table:Table": _table,
    "aws:lambda/function:Function": _function,
    "aws:lambda/eventSourceMapping:EventSourceMapping": _event_source_mapping,
    "aws:lambda/alias:Alias": lambda node: (
        "lambda",
        "CreateAlias",
        {"Name": node.outputs["name"], **in_service_case(node.inputs, {})},
    ),
    "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig": lambda node: (
        "lambda",
        "PutProvisionedConcurrencyConfig",
        in_service_case(node.inputs, {}),
    ),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _asynchronous_calls,
    "aws:lambda/layerVersion:LayerVersion": _layer,
    "aws:lambda/permission:Permission": _permission,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:pipes/pipe:Pipe": _pipe,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cognito/userPool:UserPool": _user_pool,
    "aws:cognito/userPoolClient:UserPoolClient": _user_pool_client,
    "aws:cognito/resourceServer:ResourceServer": _resource_server,
    "aws:cognito/userPoolDomain:UserPoolDomain": _user_pool_domain,
    "aws:s3/bucketVersioning:BucketVersioning": _bucket("PutBucketVersioning"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _bucket(
        "PutBucketEncryption", "ServerSideEncryptionConfiguration"
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _bucket(
        "PutPublicAccessBlock", "PublicAccessBlockConfiguration"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _bucket("PutBucketPolicy"),
    "aws:appsync/api:Api": _event_api("CreateApi"),
    "aws:appsync/channelNamespace:ChannelNamespace": _event_api("CreateChannelNamespace"),
    "aws:apigatewayv2/api:Api": _api("CreateApi", {"name": "Name"}),
    "aws:apigatewayv2/authorizer:Authorizer": _api("CreateAuthorizer", {"name": "Name"}),
    "aws:apigatewayv2/integration:Integration": _api("CreateIntegration", {}),
    "aws:apigatewayv2/route:Route": _api("CreateRoute", {}),
    "aws:apigatewayv2/stage:Stage": _api("CreateStage", {"name": "StageName"}),
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": _role_policy,
    "aws:sqs/queue:Queue": _queue,
    "aws:kinesis/stream:Stream": _stream,
    "aws:kinesis/streamConsumer:StreamConsumer": _fan_out,
}


def _graph(program: str) -> Graph:
    return environment_graph(program) if program in ENVIRONMENTS else example_graph(program)


@pytest.mark.parametrize("program", [*ENVIRONMENTS, *EXAMPLES])
def test_aws_allows_every_request(program: str) -> None:
    found = [
        f"{node.name}: {line}"
        for node in _graph(program).nodes
        if node.type in REQUESTS
        for line in violations(*REQUESTS[node.type](node))
    ]
    assert found == []


@pytest.mark.parametrize("program", [*ENVIRONMENTS, *EXAMPLES])
def test_every_granted_action_exists(program: str) -> None:
    granted = {
        action
        for policy in _graph(program).of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(policy)
        for action in statement["Action"]
    }
    assert [action for action in sorted(granted) if not has_action(action)] == []
    assert not has_action("dynamodb:Write")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"FunctionName": "f", "StartingPosition": "OLDEST"}, "StartingPosition: 'OLDEST' is none of"),
        ({"FunctionName": "f", "BatchSize": 10_001.0}, "BatchSize: 10001.0 is outside 1..10000"),
        ({"FunctionName": "f", "BisectBatch": True}, "BisectBatch: no such member"),
        ({"BatchSize": 10.0}, "FunctionName: is required"),
        ({"FunctionName": "f", "EventSourceArn": "orders"}, "EventSourceArn: 'orders' does not match"),
    ],
)
def test_a_wrong_request_is_found(parameters: dict[str, Any], expected: str) -> None:
    (line,) = violations("lambda", "CreateEventSourceMapping", parameters)
    assert expected in line

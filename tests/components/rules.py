"""Rules every resource graph must keep. Each returns what breaks it, one line a resource; empty if none."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from tests.components.graph import ALIAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.components.graph import Graph, Node

Violations = list[str]

_MOST_READERS = 2


def no_wildcards(graph: Graph) -> Violations:
    """No statement of ours has a wildcard among its actions or resources.

    But for one: objects behind the one prefix of a bucket of the program may be put and read, and nothing else; nobody
    can list them before they are made.
    """
    objects = {f"{bucket.outputs['arn']}/versions/*" for bucket in graph.of_type("aws:s3/bucket:Bucket")}
    return [
        f"{node.name}: {value}"
        for node in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(node)
        for value in [*statement["Action"], *statement["Resource"]]
        if "*" in value and not (value in objects and {"s3:GetObject", "s3:PutObject"}.issuperset(statement["Action"]))
    ]


def buckets_are_closed(graph: Graph) -> Violations:
    """Buckets are versioned and private, refuse what does not come over TLS, and their policies allow nothing."""

    def of_bucket(type_: str, bucket: Node) -> Any:
        found = [node.inputs for node in graph.of_type(type_) if node.inputs["bucket"] == bucket.outputs["bucket"]]
        return found[0] if found else {}

    def closed(bucket: Node) -> bool:
        access = of_bucket("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket)
        versioning = of_bucket("aws:s3/bucketVersioning:BucketVersioning", bucket)
        document = json.loads(of_bucket("aws:s3/bucketPolicy:BucketPolicy", bucket).get("policy", '{"Statement": []}'))
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        tls_only = [
            statement
            for statement in document["Statement"]
            if statement.get("Condition") == insecure
            and statement["Action"] == "s3:*"
            and statement["Resource"] == [bucket.outputs["arn"], f"{bucket.outputs['arn']}/*"]
        ]
        blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        return (
            all(access.get(block) for block in blocks)
            and versioning.get("versioningConfiguration", {}).get("status") == "Enabled"
            and bool(tls_only)
            and all(statement["Effect"] == "Deny" for statement in document["Statement"])
        )

    return [bucket.name for bucket in graph.of_type("aws:s3/bucket:Bucket") if not closed(bucket)]


def managed_policies_are_for_logs_and_traces(graph: Graph) -> Violations:
    """AWS's own policies are only those for log streams and traces, which no document of ours can name one by one."""
    allowed = {
        "arn:aws:iam::aws:policy/service-role/AWSAppSyncPushToCloudWatchLogs",
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
    }
    return [
        f"{node.name}: {node.inputs['policyArn']}"
        for node in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if node.inputs["policyArn"] not in allowed
    ]


def everything_is_encrypted(graph: Graph) -> Violations:
    """Tables, queues, streams and buckets are encrypted by an explicit setting."""
    encrypted_buckets = {
        node.inputs["bucket"]
        for node in graph.of_type(
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        )
        if all("applyServerSideEncryptionByDefault" in rule for rule in node.inputs["rules"])
    }

    def encrypted(node: Node) -> bool:
        match node.type:
            case "aws:dynamodb/table:Table":
                return bool(node.inputs.get("serverSideEncryption", {}).get("enabled"))
            case "aws:sqs/queue:Queue":
                return bool(node.inputs.get("sqsManagedSseEnabled") or node.inputs.get("kmsMasterKeyId"))
            case "aws:kinesis/stream:Stream":
                return node.inputs.get("encryptionType") == "KMS" and "kmsKeyId" in node.inputs
            case "aws:s3/bucket:Bucket":
                return node.outputs["bucket"] in encrypted_buckets
            case _:
                return True

    return [node.name for node in graph.nodes if not encrypted(node)]


def functions_log_with_retention(graph: Graph) -> Violations:
    """Every function writes JSON to a log group of the program, and every log group forgets."""
    groups = graph.of_type("aws:cloudwatch/logGroup:LogGroup")
    kept = {group.outputs["name"] for group in groups if group.inputs.get("retentionInDays")}
    silent = [
        node.name
        for node in graph.of_type("aws:lambda/function:Function")
        if node.inputs.get("loggingConfig", {}).get("logGroup") not in kept
        or node.inputs["loggingConfig"].get("logFormat") != "JSON"
    ]
    return silent + [group.name for group in groups if group.outputs["name"] not in kept]


def stream_consumers_are_bounded(graph: Graph) -> Violations:
    """No poison record blocks a stream for ever, and none disappears in silence."""
    queues = {queue.outputs["arn"] for queue in graph.of_type("aws:sqs/queue:Queue")}

    def bounded_mapping(inputs: Any) -> bool:
        return (
            inputs.get("maximumRetryAttempts", -1) >= 0
            and inputs.get("maximumRecordAgeInSeconds", -1) > 0
            and inputs.get("bisectBatchOnFunctionError") is True
            and inputs.get("functionResponseTypes") == ["ReportBatchItemFailures"]
            and inputs.get("destinationConfig", {}).get("onFailure", {}).get("destinationArn") in queues
        )

    def bounded_pipe(inputs: Any) -> bool:
        source = inputs.get("sourceParameters", {}).get("dynamodbStreamParameters", {})
        return (
            source.get("maximumRetryAttempts", -1) >= 0
            and source.get("maximumRecordAgeInSeconds", -1) > 0
            and source.get("onPartialBatchItemFailure") == "AUTOMATIC_BISECT"
            and source.get("deadLetterConfig", {}).get("arn") in queues
        )

    mappings = graph.of_type("aws:lambda/eventSourceMapping:EventSourceMapping")
    pipes = graph.of_type("aws:pipes/pipe:Pipe")
    return [node.name for node in mappings if not bounded_mapping(node.inputs)] + [
        node.name for node in pipes if not bounded_pipe(node.inputs)
    ]


def table_streams_have_two_readers(graph: Graph) -> Violations:
    """No table's stream has more readers than DynamoDB serves; a third would throttle the other two.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    """
    readers = Counter(
        str(node.inputs.get("eventSourceArn") or node.inputs.get("source"))
        for node in graph.nodes
        if node.type in ("aws:lambda/eventSourceMapping:EventSourceMapping", "aws:pipes/pipe:Pipe")
    )
    return [
        f"{table.name}: {readers[table.outputs['streamArn']]} readers"
        for table in graph.of_type("aws:dynamodb/table:Table")
        if readers[table.outputs["streamArn"]] > _MOST_READERS
    ]


def schedules_are_bounded(graph: Graph) -> Violations:
    """No scheduled event repeats for ever or is lost in silence, neither by Scheduler nor by the function it calls."""
    queues = {queue.outputs["arn"] for queue in graph.of_type("aws:sqs/queue:Queue")}
    functions = {node.outputs["arn"]: node.outputs["name"] for node in graph.of_type("aws:lambda/function:Function")}
    bounded_functions = {
        node.inputs["functionName"]
        for node in graph.of_type("aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig")
        if "maximumRetryAttempts" in node.inputs
        and "maximumEventAgeInSeconds" in node.inputs
        and node.inputs.get("destinationConfig", {}).get("onFailure", {}).get("destination") in queues
    }

    def bounded(target: Any) -> bool:
        policy = target.get("retryPolicy", {})
        return (
            "maximumRetryAttempts" in policy
            and "maximumEventAgeInSeconds" in policy
            and target.get("deadLetterConfig", {}).get("arn") in queues
            and functions.get(target.get("arn")) in bounded_functions
        )

    return [
        node.name
        for node in graph.of_type("aws:scheduler/schedule:Schedule")
        if not bounded(node.inputs.get("target", {}))
    ]


def everything_is_watched(graph: Graph) -> Violations:
    """Functions, stream consumers, pipes, queues, streams and APIs have alarms, and these have somebody to tell."""
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    topics = {topic.outputs["arn"] for topic in graph.of_type("aws:sns/topic:Topic")}
    watched = {
        (alarm.inputs["namespace"], alarm.inputs["metricName"], name, value)
        for alarm in alarms
        for name, value in alarm.inputs["dimensions"].items()
        if set(alarm.inputs.get("alarmActions", [])) & set(alarm.inputs.get("okActions", [])) & topics
        and alarm.inputs.get("treatMissingData") == "notBreaching"
    }
    by_alias = {node.outputs["arn"]: node.inputs["functionName"] for node in graph.of_type(ALIAS)}
    return [
        f"{node.name}: {namespace} {metric}"
        for node in graph.nodes
        for namespace, metric, dimension, value in _alarms_needed(node)
        if (namespace, metric, dimension, by_alias.get(value, value)) not in watched
    ]


def routes_demand_a_token(graph: Graph) -> Violations:
    """Every route is behind a JWT authorizer of the program."""
    authorizers = {
        node.outputs["id"]
        for node in graph.of_type("aws:apigatewayv2/authorizer:Authorizer")
        if node.inputs["authorizerType"] == "JWT"
    }
    return [
        node.name
        for node in graph.of_type("aws:apigatewayv2/route:Route")
        if node.inputs.get("authorizationType") != "JWT" or node.inputs.get("authorizerId") not in authorizers
    ]


def players_cannot_publish(graph: Graph) -> Violations:
    """Of an Event API, tokens let connect and subscribe, and only IAM lets publish."""

    def modes(listed: Any) -> set[str]:
        return {mode["authType"] for mode in listed}

    tokens = {"AMAZON_COGNITO_USER_POOLS", "OPENID_CONNECT"}

    def closed(node: Node) -> bool:
        if node.type == "aws:appsync/channelNamespace:ChannelNamespace":
            return not {"publishAuthModes", "subscribeAuthModes"} & node.inputs.keys()
        config = node.inputs["eventConfig"]
        return (
            modes(config["connectionAuthModes"]) <= tokens
            and modes(config["defaultSubscribeAuthModes"]) <= tokens
            and modes(config["defaultPublishAuthModes"]) == {"AWS_IAM"}
        )

    kinds = ("aws:appsync/api:Api", "aws:appsync/channelNamespace:ChannelNamespace")
    return [node.name for kind in kinds for node in graph.of_type(kind) if not closed(node)]


def data_survives(graph: Graph) -> Violations:
    """No table, bucket or player pool is deleted by a call, a destroy or by leaving the program; tables can go back."""

    def guarded(node: Node) -> bool:
        if node.type == "aws:dynamodb/table:Table":
            recoverable = node.inputs.get("pointInTimeRecovery", {}).get("enabled")
            return bool(node.inputs.get("deletionProtectionEnabled") and recoverable)
        if node.type == "aws:s3/bucket:Bucket":
            return node.inputs.get("forceDestroy") is False
        return node.inputs.get("deletionProtection") == "ACTIVE"

    kinds = ("aws:dynamodb/table:Table", "aws:s3/bucket:Bucket", "aws:cognito/userPool:UserPool")
    stores = [node for kind in kinds for node in graph.of_type(kind)]
    return [node.name for node in stores if not (guarded(node) and node.protect and node.retain_on_delete)]


def no_physical_names(graph: Graph) -> Violations:
    """Names are Pulumi's to choose, so that replacements and several environments in one account cannot collide."""
    named_by_us = {
        "aws:apigatewayv2/stage:Stage",  # its name is part of the URL
        "aws:cognito/resourceServer:ResourceServer",  # only shown, and unique within its pool
        "aws:appsync/channelNamespace:ChannelNamespace",  # what its channels begin with, and unique within its API
    }
    # AppSync logs to groups of these names and no others; an API's id is unique.
    named_by_aws = {f"/aws/appsync/apis/{api.outputs['apiId']}" for api in graph.of_type("aws:appsync/api:Api")}
    return [
        node.name
        for node in graph.nodes
        if (
            node.type.startswith("aws:")
            and node.type not in named_by_us
            and node.inputs.get("name", "") not in {"", *named_by_aws}
        )
        or (node.type == "aws:s3/bucket:Bucket" and "bucket" in node.inputs)
    ]


def statements(policy: Node) -> list[dict[str, Any]]:
    """The statements of an inline policy, with actions and resources as lists."""
    document = cast("dict[str, Any]", json.loads(policy.inputs["policy"]))
    return [
        {**statement, "Action": _as_list(statement["Action"]), "Resource": _as_list(statement["Resource"])}
        for statement in document["Statement"]
    ]


def _as_list(value: Any) -> list[str]:
    return cast("list[str]", value) if isinstance(value, list) else [cast("str", value)]


def _alarms_needed(node: Node) -> Iterator[tuple[str, str, str, str]]:
    match node.type:
        case "aws:lambda/function:Function":
            yield "AWS/Lambda", "Errors", "FunctionName", node.outputs["name"]
            yield "AWS/Lambda", "Throttles", "FunctionName", node.outputs["name"]
        case "aws:lambda/eventSourceMapping:EventSourceMapping":
            yield "AWS/Lambda", "IteratorAge", "FunctionName", node.inputs["functionName"]
        case "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig":
            yield "AWS/Lambda", "AsyncEventsDropped", "FunctionName", node.inputs["functionName"]
        case "aws:pipes/pipe:Pipe":
            for metric in ("ExecutionFailed", "ExecutionPartiallyFailed", "ExecutionThrottled"):
                yield "AWS/EventBridge/Pipes", metric, "PipeName", node.outputs["name"]
        case "aws:sqs/queue:Queue":
            yield "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", node.outputs["name"]
        case "aws:kinesis/stream:Stream":
            yield "AWS/Kinesis", "WriteProvisionedThroughputExceeded", "StreamName", node.outputs["name"]
        case "aws:apigatewayv2/api:Api":
            yield "AWS/ApiGateway", "5xx", "ApiId", node.outputs["id"]
        case "aws:appsync/api:Api":
            yield "AWS/AppSync", "5XXError", "EventAPIId", node.outputs["apiId"]
        case "aws:appsync/channelNamespace:ChannelNamespace":
            for metric in ("SubscribeServerError", "BroadcastEventServerError"):
                yield "AWS/AppSync", metric, "ChannelNamespaceName", node.outputs["name"]
        case _:
            pass

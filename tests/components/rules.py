"""Rules every resource graph must keep. Each returns what breaks it, one line a resource; empty if none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.components.graph import Graph, Node

Violations = list[str]


def no_wildcards(graph: Graph) -> Violations:
    """No statement of ours has a wildcard among its actions or resources."""
    return [
        f"{node.name}: {value}"
        for node in graph.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(node)
        for value in [*statement["Action"], *statement["Resource"]]
        if "*" in value
    ]


def managed_policies_are_for_logs(graph: Graph) -> Violations:
    """The only policy of AWS's own is the one for log streams, whose names no document can list."""
    allowed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    return [
        f"{node.name}: {node.inputs['policyArn']}"
        for node in graph.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if node.inputs["policyArn"] != allowed
    ]


def everything_is_encrypted(graph: Graph) -> Violations:
    """Tables, queues and streams are encrypted by an explicit setting."""

    def encrypted(node: Node) -> bool:
        match node.type:
            case "aws:dynamodb/table:Table":
                return bool(node.inputs.get("serverSideEncryption", {}).get("enabled"))
            case "aws:sqs/queue:Queue":
                return bool(node.inputs.get("sqsManagedSseEnabled") or node.inputs.get("kmsMasterKeyId"))
            case "aws:kinesis/stream:Stream":
                return node.inputs.get("encryptionType") == "KMS" and "kmsKeyId" in node.inputs
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
    return [
        f"{node.name}: {needed[0]} {needed[1]}"
        for node in graph.nodes
        for needed in _alarms_needed(node)
        if needed not in watched
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


def data_survives(graph: Graph) -> Violations:
    """No table or player pool is deleted by a call, a destroy or by leaving the program; tables can go back."""

    def guarded(node: Node) -> bool:
        if node.type == "aws:dynamodb/table:Table":
            recoverable = node.inputs.get("pointInTimeRecovery", {}).get("enabled")
            return bool(node.inputs.get("deletionProtectionEnabled") and recoverable)
        return node.inputs.get("deletionProtection") == "ACTIVE"

    stores = graph.of_type("aws:dynamodb/table:Table") + graph.of_type("aws:cognito/userPool:UserPool")
    return [node.name for node in stores if not (guarded(node) and node.protect and node.retain_on_delete)]


def no_physical_names(graph: Graph) -> Violations:
    """Names are Pulumi's to choose, so that replacements and several environments in one account cannot collide."""
    stage = "aws:apigatewayv2/stage:Stage"  # its name is part of the URL
    return [
        node.name
        for node in graph.nodes
        if node.type.startswith("aws:") and node.type != stage and "name" in node.inputs
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
        case _:
            pass

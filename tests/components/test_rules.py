"""Every environment keeps every rule, and every rule finds a program that breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from tests.components import rules
from tests.components.graph import ENVIRONMENTS, EXAMPLES, Graph, environment_graph, example_graph, record

Rule = Callable[[Graph], rules.Violations]

EVERYWHERE: list[Rule] = [
    rules.no_wildcards,
    rules.managed_policies_are_for_logs_and_traces,
    rules.everything_is_encrypted,
    rules.buckets_are_closed,
    rules.functions_log_with_retention,
    rules.stream_consumers_are_bounded,
    rules.table_streams_have_two_readers,
    rules.schedules_are_bounded,
    rules.everything_is_watched,
    rules.routes_demand_a_token,
    rules.players_cannot_publish,
    rules.no_physical_names,
]


# An example has no topic that would be told of alarms.
IN_EXAMPLES = [rule for rule in EVERYWHERE if rule is not rules.everything_is_watched]


def _policy(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def wildcard_action() -> None:
    aws.iam.RolePolicy(
        "bad", role="r", policy=_policy("dynamodb:*", "arn:aws:dynamodb:eu-central-1:123456789012:table/t")
    )


def wildcard_resource() -> None:
    aws.iam.RolePolicy("bad", role="r", policy=_policy("dynamodb:Query", "*"))


def _objects_of_an_archive(action: str, behind: str) -> None:
    bucket = aws.s3.Bucket("archive")
    aws.iam.RolePolicy("bad", role="r", policy=bucket.arn.apply(lambda arn: _policy(action, arn + behind)))


def every_object() -> None:
    _objects_of_an_archive("s3:GetObject", "/*")


def objects_behind_part_of_a_name() -> None:
    _objects_of_an_archive("s3:GetObject", "/versions*")


def deletion_of_objects() -> None:
    _objects_of_an_archive("s3:DeleteObject", "/versions/*")


def objects_of_every_bucket() -> None:
    aws.iam.RolePolicy("bad", role="r", policy=_policy("s3:GetObject", "arn:aws:s3:::*/versions/*"))


def administrator() -> None:
    aws.iam.RolePolicyAttachment("bad", role="r", policy_arn="arn:aws:iam::aws:policy/AdministratorAccess")


def plain_table() -> None:
    aws.dynamodb.Table("bad", hash_key="id", attributes=[{"name": "id", "type": "S"}])


def plain_bucket() -> None:
    aws.s3.Bucket("bad")


def public_bucket() -> None:
    bucket = aws.s3.Bucket("bad")
    aws.s3.BucketPolicy("open", bucket=bucket.bucket, policy=_policy("s3:GetObject", "arn:aws:s3:::bad/*"))


def plain_queue() -> None:
    aws.sqs.Queue("bad")


def plain_stream() -> None:
    aws.kinesis.Stream("bad", shard_count=1)


def function_without_log_group() -> None:
    aws.lambda_.Function("bad", role="arn:aws:iam::123456789012:role/r", logging_config={"log_format": "JSON"})


def log_group_without_retention() -> None:
    aws.cloudwatch.LogGroup("bad")


def mapping_with_defaults() -> None:
    aws.lambda_.EventSourceMapping("bad", function_name="f")


def third_reader() -> None:
    table = aws.dynamodb.Table(
        "bad",
        hash_key="id",
        attributes=[{"name": "id", "type": "S"}],
        stream_enabled=True,
        stream_view_type="KEYS_ONLY",
    )
    for reader in ("first", "second"):
        aws.lambda_.EventSourceMapping(reader, function_name=reader, event_source_arn=table.stream_arn)
    aws.pipes.Pipe("third", role_arn="r", source=table.stream_arn, target="t")


def pipe_with_defaults() -> None:
    aws.pipes.Pipe("bad", role_arn="r", source="s", target="t")


def schedule_with_defaults() -> None:
    aws.scheduler.Schedule(
        "bad",
        flexible_time_window={"mode": "OFF"},
        schedule_expression="rate(1 minute)",
        target={"arn": "arn:aws:lambda:eu-central-1:123456789012:function:f", "role_arn": "r"},
    )


def alarm_without_topic() -> None:
    queue = aws.sqs.Queue("bad", sqs_managed_sse_enabled=True)
    aws.cloudwatch.MetricAlarm(
        "quiet",
        namespace="AWS/SQS",
        metric_name="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue.name},
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        treat_missing_data="notBreaching",
    )


def open_route() -> None:
    aws.apigatewayv2.Route("bad", api_id="a", route_key="GET /asks")


def unprotected_table() -> None:
    aws.dynamodb.Table(
        "bad",
        hash_key="id",
        attributes=[{"name": "id", "type": "S"}],
        deletion_protection_enabled=True,
        point_in_time_recovery={"enabled": True},
    )


def unprotected_bucket() -> None:
    aws.s3.Bucket("bad", force_destroy=True, opts=pulumi.ResourceOptions(protect=True, retain_on_delete=True))


def unprotected_pool() -> None:
    aws.cognito.UserPool("bad", deletion_protection="ACTIVE")


def named_bucket() -> None:
    aws.s3.Bucket("bad", bucket="orders")


def named_queue() -> None:
    aws.sqs.Queue("bad", name="orders")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("rule", EVERYWHERE, ids=lambda rule: rule.__name__)
def test_every_environment_keeps_every_rule(environment: str, rule: Rule) -> None:
    assert rule(environment_graph(environment)) == []


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("rule", IN_EXAMPLES, ids=lambda rule: rule.__name__)
def test_every_example_keeps_every_rule(example: str, rule: Rule) -> None:
    assert rule(example_graph(example)) == []


def test_data_survives_in_prod() -> None:
    assert rules.data_survives(environment_graph("prod")) == []


@pytest.mark.parametrize(
    ("rule", "program"),
    [
        (rules.no_wildcards, wildcard_action),
        (rules.no_wildcards, wildcard_resource),
        (rules.no_wildcards, every_object),
        (rules.no_wildcards, objects_behind_part_of_a_name),
        (rules.no_wildcards, deletion_of_objects),
        (rules.no_wildcards, objects_of_every_bucket),
        (rules.managed_policies_are_for_logs_and_traces, administrator),
        (rules.everything_is_encrypted, plain_table),
        (rules.everything_is_encrypted, plain_queue),
        (rules.everything_is_encrypted, plain_bucket),
        (rules.buckets_are_closed, plain_bucket),
        (rules.buckets_are_closed, public_bucket),
        (rules.everything_is_encrypted, plain_stream),
        (rules.functions_log_with_retention, function_without_log_group),
        (rules.functions_log_with_retention, log_group_without_retention),
        (rules.stream_consumers_are_bounded, mapping_with_defaults),
        (rules.stream_consumers_are_bounded, pipe_with_defaults),
        (rules.table_streams_have_two_readers, third_reader),
        (rules.schedules_are_bounded, schedule_with_defaults),
        (rules.everything_is_watched, plain_stream),
        (rules.everything_is_watched, alarm_without_topic),
        (rules.routes_demand_a_token, open_route),
        (rules.data_survives, unprotected_table),
        (rules.data_survives, unprotected_bucket),
        (rules.data_survives, unprotected_pool),
        (rules.no_physical_names, named_queue),
        (rules.no_physical_names, named_bucket),
    ],
    ids=lambda case: case.__name__,
)
def test_a_rule_finds_the_program_that_breaks_it(rule: Rule, program: Callable[[], None]) -> None:
    found = rule(record(program))
    assert found
    assert all(line.startswith("bad") for line in found)

"""Names that would become too long for AWS are refused when the program is read, not in the middle of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pytest

from components.inputs import LONGEST_NAME, InputError, check_inputs
from tests.components.graph import ENVIRONMENTS, EXAMPLES, environment_graph, example_graph

if TYPE_CHECKING:
    from tests.components.graph import Graph, Node

_LIMITS = {
    "aws:apigatewayv2/api:Api": 128,
    "aws:appsync/api:Api": 50,
    "aws:cloudwatch/logGroup:LogGroup": 512,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    "aws:cognito/userPool:UserPool": 128,
    "aws:cognito/userPoolClient:UserPoolClient": 128,
    "aws:dynamodb/table:Table": 255,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:kinesis/stream:Stream": 128,
    "aws:kinesis/streamConsumer:StreamConsumer": 128,
    "aws:lambda/function:Function": 64,
    "aws:lambda/layerVersion:LayerVersion": 140,
    "aws:pipes/pipe:Pipe": 64,
    "aws:s3/bucket:Bucket": 63,
    "aws:scheduler/schedule:Schedule": 64,
    "aws:sns/topic:Topic": 256,
    "aws:sqs/queue:Queue": 80,
}
"""Longest physical names: the `name` of each service's create call, in its API reference."""

_TIGHT = {
    "aws:appsync/api:Api",
    "aws:dynamodb/table:Table",
    "aws:iam/role:Role",
    "aws:kinesis/stream:Stream",
    "aws:lambda/function:Function",
    "aws:pipes/pipe:Pipe",
    "aws:s3/bucket:Bucket",
    "aws:scheduler/schedule:Schedule",
    "aws:sqs/queue:Queue",
}
"""Types whose names are a component's name with a suffix."""

_HEX = 8  # "-" and seven hexadecimal digits: what pulumi-aws appends to a logical name


def _graphs() -> list[Graph]:
    return [*map(environment_graph, ENVIRONMENTS), *map(example_graph, EXAMPLES)]


def _room(node: Node) -> int:
    return _LIMITS[node.type] - _HEX - len(node.name)


def test_every_physical_name_fits() -> None:
    nodes = [node for graph in _graphs() for node in graph.nodes if node.type in _LIMITS and "name" not in node.inputs]
    assert [f"{node.type} {node.name}: {-_room(node)} too long" for node in nodes if _room(node) < 0] == []


def test_the_longest_names_are_those_that_the_longest_suffixes_leave() -> None:
    left: dict[str, int] = {}
    for node in [node for graph in _graphs() for node in graph.nodes if node.type in _TIGHT]:
        component = node.parent.split("::")[-2].rsplit(":", 1)[1]
        name = node.parent.rsplit("::", 1)[1]
        assert node.name.startswith(f"{name}-")
        left[component] = min(left.get(component, 255), _room(node) + len(name))
    assert left == {component: LONGEST_NAME[component] for component in left}


class _Contract(TypedDict):
    """No inputs."""


@pytest.mark.parametrize(("component", "longest"), LONGEST_NAME.items())
def test_a_longer_name_is_refused(component: str, longest: int) -> None:
    check_inputs(component, "n" * longest, {}, _Contract)
    with pytest.raises(InputError) as refusal:
        check_inputs(component, "n" * (longest + 1), {}, _Contract)
    assert (refusal.value.component, refusal.value.key) == (component, "name")
    assert f"at most {longest} characters, got {longest + 1}" in str(refusal.value)

"""The resource graph a Pulumi program asks for, recorded without an engine or a cloud."""

# The runtime's mocks and messages carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pulumi
import pulumi.runtime
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "commodities-market"
ENVIRONMENTS = ("local", "dev", "staging", "prod")
EXAMPLES = tuple(sorted(path.parent.name for path in ROOT.glob("examples/*/__main__.py")))
ACCOUNT = "123456789012"
ALIAS = "aws:lambda/alias:Alias"
REGION = "eu-central-1"

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Node:
    """One resource as the program registered it; property names are the provider's, in camelCase."""

    urn: str
    type: str
    name: str
    inputs: Properties
    outputs: Properties
    parent: str
    dependencies: frozenset[str]
    protect: bool
    retain_on_delete: bool


@dataclass
class Graph:
    """All resources of one run, in order of registration, with the stack's exports."""

    nodes: list[Node] = field(default_factory=list[Node])
    exports: Properties = field(default_factory=dict[str, Any])
    invokes: set[str] = field(default_factory=set[str])

    def of_type(self, type_: str) -> list[Node]:
        """Resources of one type, such as ``aws:sqs/queue:Queue``."""
        return [node for node in self.nodes if node.type == type_]

    def named(self, type_: str, name: str) -> Node:
        """The one resource with this type and logical name."""
        (node,) = [node for node in self.of_type(type_) if node.name == name]
        return node

    def functions_by(self, output: str) -> dict[str, Node]:
        """Functions by what their callers call them: an output of theirs, or of the alias that stands for them."""
        functions = {node.outputs["name"]: node for node in self.of_type("aws:lambda/function:Function")}
        called = {node.outputs[output]: node for node in functions.values()}
        return called | {node.outputs[output]: functions[node.inputs["functionName"]] for node in self.of_type(ALIAS)}

    def children(self, urn: str) -> list[Node]:
        """Resources registered directly under another."""
        return [node for node in self.nodes if node.parent == urn]


def stack_configuration(stack: str) -> dict[str, str]:
    """Configuration of a stack as the engine passes it: defaults of ``Pulumi.yaml``, then the stack file, as text."""
    project = cast("dict[str, Any]", yaml.safe_load((ROOT / "Pulumi.yaml").read_text("utf-8")))
    stack_file = cast("dict[str, Any]", yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text("utf-8")))
    defaults = {f"{PROJECT}:{key}": schema["default"] for key, schema in project["config"].items()}
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (defaults | stack_file["config"]).items()
    }


def record(program: Callable[[], object], *, stack: str = "test", config: Mapping[str, str] | None = None) -> Graph:
    """Run a program and return what it registered.

    Parameters
    ----------
    program
        Creates components or resources, and may export.
    stack
        Name of the stack.
    config
        Namespaced configuration key → text.
    """
    graph = Graph()
    # The runtime keeps its state in context variables: in a context of its own, no run sees another one's.
    contextvars.copy_context().run(asyncio.run, _run(program, _RecordingMonitor(graph), stack, dict(config or {})))
    return graph


async def _run(program: Callable[[], object], monitor: _RecordingMonitor, stack: str, config: dict[str, str]) -> None:
    # Tasks of a program that is refused die unheard: told of by the garbage collector in the midst of a parse, their
    # tracebacks are parsed too, which Python 3.11 does not bear (SystemError).
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    # What a failed run left unfinished belongs to its event loop, which is closed.
    unfinished = cast("Any", SETTINGS)
    unfinished.rpc_manager.clear()
    unfinished.outputs.clear()
    pulumi.runtime.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    # `set_mocks` leaves a finished root behind; `run_in_stack` makes the one that carries the program's exports.
    set_root_resource(cast("Any", None))
    pulumi.runtime.set_all_config(config)
    await run_in_stack(cast("Callable[[], None]", program))


@functools.cache
def environment_graph(stack: str) -> Graph:
    """The graph of the real program in one environment; each environment runs once per test session."""
    return record(run_main, stack=stack, config=stack_configuration(stack))


@functools.cache
def example_graph(name: str) -> Graph:
    """The graph of one of the example services; each runs once per test session."""
    program = ROOT / "examples" / name / "__main__.py"
    return record(lambda: runpy.run_path(str(program), run_name="__main__"), stack="local")


def run_main() -> None:
    """The real program."""
    runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")


class _Cloud(mocks.Mocks):
    """Answers with the outputs the provider would compute."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        inputs = cast("dict[str, Any]", args.inputs)
        if not args.custom:
            return None, inputs
        physical = str(inputs.get("name") or f"{args.name}-0123456")
        computed = _computed(args.typ, f"{inputs['functionName']}:{physical}" if args.typ == ALIAS else physical)
        resource_id = str(computed.pop("id", physical))
        return resource_id, {"name": physical, **computed, **inputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        self._graph.invokes.add(args.token)
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getRegion:getRegion": {"id": REGION, "region": REGION, "name": REGION},
            "aws:index/getPartition:getPartition": {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"},
        }
        return answers[args.token], []


class _RecordingMonitor(mocks.MockMonitor):
    """A mock monitor that keeps what the standard one drops: parent, dependencies, protection, exports."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(_Cloud(graph))
        self._graph = graph

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 the name of the RPC
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = cast("dict[str, Any]", pulumi.runtime.rpc.deserialize_properties(request.object))
            self._graph.nodes.append(
                Node(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    inputs=inputs,
                    outputs={**self.resources[response.urn].state, "id": response.id},
                    parent=request.parent,
                    dependencies=frozenset(request.dependencies),
                    protect=bool(request.protect),
                    retain_on_delete=bool(request.retainOnDelete),
                )
            )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 the name of the RPC
        if "::pulumi:pulumi:Stack::" in request.urn:
            self._graph.exports = cast(
                "dict[str, Any]", pulumi.runtime.rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            )
        return super().RegisterResourceOutputs(request)


def _computed(type_: str, physical: str) -> dict[str, Any]:
    """Outputs that no input determines, per resource type."""

    def arn(service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"

    function_arn = arn("lambda", f"function:{physical}")
    invoke_arn = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    return {
        "aws:dynamodb/table:Table": {
            "arn": arn("dynamodb", f"table/{physical}"),
            "streamArn": arn("dynamodb", f"table/{physical}/stream/2026-11-01T00:00:00.000"),
        },
        "aws:lambda/function:Function": {"arn": function_arn, "invokeArn": invoke_arn, "version": "7"},
        ALIAS: {"arn": function_arn, "invokeArn": invoke_arn},
        "aws:lambda/layerVersion:LayerVersion": {"arn": arn("lambda", f"layer:{physical}:1"), "version": "1"},
        "aws:scheduler/schedule:Schedule": {"arn": arn("scheduler", f"schedule/default/{physical}")},
        "aws:lambda/eventSourceMapping:EventSourceMapping": {"id": "8d0f9c1e-0000-4000-8000-000000000001"},
        "aws:iam/role:Role": {"arn": f"arn:aws:iam::{ACCOUNT}:role/{physical}"},
        "aws:sqs/queue:Queue": {
            "arn": arn("sqs", physical),
            "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{physical}",
        },
        "aws:s3/bucket:Bucket": {"arn": f"arn:aws:s3:::{physical}", "bucket": physical},
        "aws:sns/topic:Topic": {"arn": arn("sns", physical)},
        "aws:kinesis/stream:Stream": {"arn": arn("kinesis", f"stream/{physical}")},
        "aws:kinesis/streamConsumer:StreamConsumer": {"arn": arn("kinesis", f"stream/s/consumer/{physical}:1")},
        "aws:pipes/pipe:Pipe": {"arn": arn("pipes", f"pipe/{physical}")},
        "aws:cloudwatch/logGroup:LogGroup": {"arn": arn("logs", f"log-group:{physical}")},
        "aws:cloudwatch/metricAlarm:MetricAlarm": {"arn": arn("cloudwatch", f"alarm:{physical}")},
        "aws:apigatewayv2/api:Api": {"id": "api0123456", "executionArn": arn("execute-api", "api0123456")},
        "aws:appsync/api:Api": {
            "apiId": "feed0123456",
            "apiArn": arn("appsync", "apis/feed0123456"),
            "dns": {
                "HTTP": f"dns0123456.appsync-api.{REGION}.amazonaws.com",
                "REALTIME": f"dns0123456.appsync-realtime-api.{REGION}.amazonaws.com",
            },
        },
        "aws:appsync/channelNamespace:ChannelNamespace": {
            "channelNamespaceArn": arn("appsync", f"apis/feed0123456/channelNamespace/{physical}")
        },
        "aws:apigatewayv2/stage:Stage": {
            "executionArn": arn("execute-api", "api0123456/$default"),
            "invokeUrl": f"https://api0123456.execute-api.{REGION}.amazonaws.com/",
        },
        "aws:cognito/userPool:UserPool": {
            "id": f"{REGION}_Abcdefghi",
            "endpoint": f"cognito-idp.{REGION}.amazonaws.com/{REGION}_Abcdefghi",
        },
        "aws:cognito/userPoolClient:UserPoolClient": {"id": "client0123456789"},
    }.get(type_, {})

"""Functions of a deployed graph, found by whatever their callers call them: name, ARN, alias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from cli.latency_model.graph import DeployedGraph, Resource

ROUTE_TYPE = "aws:apigatewayv2/route:Route"

_FUNCTION = "aws:lambda/function:Function"
_ALIAS = "aws:lambda/alias:Alias"
_WARM = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
FULL_CORE_MB = 1769  # AWS Lambda Developer Guide, "Configure Lambda function memory": one vCPU
_LEAST_MB = 128  # what Lambda gives where nothing is said


@dataclass(frozen=True, slots=True)
class DeployedFunction:
    """A function as one of its callers reaches it.

    Attributes
    ----------
    resource
        The function.
    warm_instances
        Instances that provisioned concurrency keeps of the version that is called.
    snap_start
        Whether that version starts from a snapshot.
    """

    resource: Resource
    warm_instances: int
    snap_start: bool

    @property
    def name(self) -> str:
        """Logical name."""
        return self.resource.name

    @property
    def role_arn(self) -> str:
        """Role it runs as."""
        return self.resource.text("role")

    @property
    def cores(self) -> float:
        """Full cores its memory buys; its one thread uses one at most."""
        return min((self.resource.number("memorySize") or _LEAST_MB) / FULL_CORE_MB, 1.0)

    def variable(self, name: str) -> str:
        """Return an environment variable, empty if it is not set."""
        variables = self.resource.inner("environment").get("variables")
        return str(cast("dict[str, object]", variables).get(name, "")) if isinstance(variables, dict) else ""


def functions_of(graph: DeployedGraph) -> dict[str, DeployedFunction]:
    """Return functions by everything an event source mapping may call them: name and ARN, their aliases' ARNs."""
    return functions_called_by(graph, "name") | functions_called_by(graph, "arn")


def functions_called_by(graph: DeployedGraph, output: str) -> dict[str, DeployedFunction]:
    """Return functions by an output of theirs, and by the same output of their aliases.

    Parameters
    ----------
    graph
        What is deployed.
    output
        Name of the output, such as ``invokeArn``.
    """
    resources = {function.text("name"): function for function in graph.of_type(_FUNCTION)}
    found = {
        function.text(output): DeployedFunction(function, 0, snap_start=False)
        for function in resources.values()
        if function.text(output)
    }
    for alias in graph.of_type(_ALIAS):
        function = resources.get(alias.text("functionName"))
        if function is None or not alias.text(output):
            continue
        kept = graph.find(_WARM, functionName=function.text("name"), qualifier=alias.text("name"))
        found[alias.text(output)] = DeployedFunction(
            function,
            kept.number("provisionedConcurrentExecutions") if kept is not None else 0,
            snap_start=function.inner("snapStart").get("applyOn") == "PublishedVersions",
        )
    return found

"""A Pulumi resource monitor inside the process: answers the SDK's calls by deploying at once.

The SDK talks to its monitor through a small gRPC interface and accepts any object with these methods;
`pulumi.runtime.mocks.MockMonitor` is the same technique for tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.sync_await import _ensure_event_loop  # pyright: ignore[reportPrivateUsage]

from local.deployer.errors import DeployError
from local.deployer.lookups import look_up
from local.deployer.reconcile import Registration

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.project import Project
    from local.deployer.reconcile import Reconciler
    from local.deployer.state import Properties

_ASSETS = (pulumi.Asset, pulumi.Archive)
_STACK_TYPE = "pulumi:pulumi:Stack"
_FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
)


class DeploymentMonitor:
    """The monitor of one deployment.

    Attributes
    ----------
    outputs
        The program's exports, secrets in the clear; complete once the program has ended.
    failure
        The first error of a registration; later registrations are refused, so that a failed deployment stops.
    """

    def __init__(self, project: Project, aws: Aws, reconciler: Reconciler) -> None:
        self._project = project
        self._aws = aws
        self._reconciler = reconciler
        self.outputs: Properties = {}
        self.failure: Exception | None = None

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self._urn(request.parent, request.type, request.name)
        if request.type == _STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if self.failure is not None:
            raise DeployError("the deployment has already failed")
        inputs = _properties(request.object) if request.custom else {}
        try:
            _refuse_unsupported(request)
            resource = self._reconciler.register(
                Registration(
                    urn=urn,
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    custom=request.custom,
                    inputs=inputs,
                    dependencies=sorted(request.dependencies),
                    provider=request.provider,
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                    delete_before_replace=request.deleteBeforeReplace,
                    ignore_changes=list(request.ignoreChanges),
                    replace_on_changes=list(request.replaceOnChanges),
                    aliases=[self._alias(request, alias) for alias in request.aliases],
                )
            )
        except Exception as error:
            self.failure = self.failure or error
            raise
        # The state knows an asset by its hash; the program keeps the asset it gave.
        outputs = {key: value for key, value in resource.outputs.items() if not isinstance(inputs.get(key), _ASSETS)}
        return resource_pb2.RegisterResourceResponse(urn=urn, id=resource.id, object=_struct(outputs))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        outputs = _properties(request.outputs)
        if request.urn.split("::")[2] == _STACK_TYPE:
            self.outputs = outputs
        else:
            self._reconciler.record_outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = look_up(self._aws, request.tok, _properties(request.args))
        return resource_pb2.ResourceInvokeResponse(**{"return": _struct(answer)})  # pyright: ignore[reportArgumentType]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        raise DeployError(
            f"resource '{request.name}' ({request.type}): reading existing resources is not supported locally"
        )

    def RegisterStackTransform(self, request: Any) -> Any:  # noqa: N802
        raise DeployError("stack transforms are not supported by the local deployer")

    def RegisterStackInvokeTransform(self, request: Any) -> Any:  # noqa: N802
        raise DeployError("invoke transforms are not supported by the local deployer")

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802
        raise DeployError("resource hooks are not supported by the local deployer")

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.RegisterPackageResponse(ref=request.name)

    def SupportsFeature(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "aliasSpecs", "deletedWith"))

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _urn(self, parent: str, resource_type: str, name: str) -> str:
        parent_type = parent.split("::")[2] if parent else ""
        qualified = resource_type if parent_type in ("", _STACK_TYPE) else f"{parent_type}${resource_type}"
        return f"urn:pulumi:{self._project.stack}::{self._project.name}::{qualified}::{name}"

    def _alias(self, request: Any, alias: Any) -> str:
        if alias.WhichOneof("alias") == "urn":
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else spec.parentUrn or request.parent
        urn = self._urn(parent, spec.type or request.type, spec.name or request.name)
        scope = f"urn:pulumi:{spec.stack or self._project.stack}::{spec.project or self._project.name}"
        return "::".join([scope, *urn.split("::")[2:]])


def _properties(struct: Any) -> Properties:
    _ensure_event_loop()
    properties, _ = rpc.deserialize_properties_unwrap_secrets(struct)
    return _with_integers(properties)


def _with_integers(value: Any) -> Any:
    """Protobuf's `Struct` has one kind of number; whole ones were integers in the program."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _with_integers(element) for key, element in cast("Properties", value).items()}
    if isinstance(value, list):
        return [_with_integers(element) for element in cast("list[Any]", value)]
    return value


def _struct(properties: Properties) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def _refuse_unsupported(request: Any) -> None:
    options = {
        "import": request.importId,
        "transforms": request.transforms,
        "replace_with": request.replace_with,
        "replacement_trigger": request.HasField("replacement_trigger"),
        "hooks": request.HasField("hooks") and request.hooks.ByteSize(),
        "remote components": request.remote,
    }
    used = [option for option, value in options.items() if value]
    if used:
        raise DeployError(
            f"resource '{request.name}' ({request.type}): the local deployer does not support {', '.join(used)}"
        )

"""AWS Lambda functions, layers, resource policies, settings of asynchronous calls, and event source mappings."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from local.deployer.aws import PARTITION
from local.deployer.errors import DeployError
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_CODE = frozenset({"code", "architectures"})
_NAMES = {"name": "FunctionName"}
_MAPPING_NAMES = {"destinationArn": "Destination"}


class Function(ResourceType):
    token = "aws:lambda/function:Function"
    mapped = frozenset(
        {
            "architectures",
            "code",
            "deadLetterConfig",
            "description",
            "environment",
            "ephemeralStorage",
            "handler",
            "kmsKeyArn",
            "layers",
            "loggingConfig",
            "memorySize",
            "name",
            "packageType",
            "publish",
            "reservedConcurrentExecutions",
            "role",
            "runtime",
            "snapStart",
            "tags",
            "timeout",
            "tracingConfig",
        }
    )
    ignored = {"sourceCodeHash": "the archive's own hash decides whether the code changed"}  # noqa: RUF012 - a ClassVar of the base
    replace_on = frozenset({"name", "packageType"})
    naming = Naming(max_length=64)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        if "code" not in inputs:
            raise DeployError("property code: a function needs an archive")
        function = without(inputs, "code", "publish", "reservedConcurrentExecutions", *self.ignored)
        parameters = request("lambda", "CreateFunction", {**function, "code": {"zipFile": inputs["code"].data}}, _NAMES)
        aws.lambda_.create_function(**parameters, Tags=inputs["tagsAll"])
        name = str(inputs["name"])
        if inputs.get("reservedConcurrentExecutions", -1) >= 0:
            self._reserve(aws, name, inputs)
        return Created(name, _outputs(aws, name, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        name = existing.id
        if changed & _CODE:
            parameters = {key: inputs[key] for key in ("architectures",) if key in inputs}
            aws.lambda_.update_function_code(
                **request(
                    "lambda", "UpdateFunctionCode", {"functionName": name, "zipFile": inputs["code"].data, **parameters}
                )
            )
        if changed - _CODE - {"publish", "tagsAll", "reservedConcurrentExecutions", *self.ignored}:
            configuration = without(
                inputs, "publish", "reservedConcurrentExecutions", "packageType", *_CODE, *self.ignored
            )
            cleared: Properties = {
                "environment": {"variables": {}},
                "layers": [],
                "description": "",
                "deadLetterConfig": {"targetArn": ""},
                "tracingConfig": {"mode": "PassThrough"},
                "snapStart": {"applyOn": "None"},
                "memorySize": 128,
                "timeout": 3,
            }
            removed = {key: value for key, value in cleared.items() if key in changed and key not in inputs}
            aws.lambda_.update_function_configuration(
                **request("lambda", "UpdateFunctionConfiguration", {**configuration, **removed}, _NAMES)
            )
        if "reservedConcurrentExecutions" in changed:
            self._reserve(aws, name, inputs)
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.lambda_.untag_resource(Resource=arn, TagKeys=tags.removed)
        if tags.added:
            aws.lambda_.tag_resource(Resource=arn, Tags=tags.added)
        return _outputs(aws, name, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.lambda_.delete_function(FunctionName=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.lambda_.get_paginator("list_functions").paginate()
        return {function.get("FunctionName", "") for page in pages for function in page["Functions"]}

    def _reserve(self, aws: Aws, name: str, inputs: Properties) -> None:
        reserved = int(inputs.get("reservedConcurrentExecutions", -1))
        if reserved < 0:
            aws.lambda_.delete_function_concurrency(FunctionName=name)
        else:
            aws.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def _outputs(aws: Aws, name: str, inputs: Properties) -> Properties:
    configuration = aws.lambda_.get_function(FunctionName=name).get("Configuration", {})
    arn = configuration.get("FunctionArn", "")
    # As the provider does after every change: Lambda publishes nothing if nothing has changed.
    version = aws.lambda_.publish_version(FunctionName=name)["Version"] if inputs.get("publish") else "$LATEST"
    return {
        "arn": arn,
        "codeSha256": configuration.get("CodeSha256", ""),
        "invokeArn": _invoke_arn(aws, arn),
        "lastModified": configuration.get("LastModified", ""),
        "name": name,
        "qualifiedArn": f"{arn}:{version}",
        "sourceCodeSize": configuration.get("CodeSize", 0),
        "version": version,
    }


def _invoke_arn(aws: Aws, arn: str) -> str:
    return f"arn:{PARTITION}:apigateway:{aws.region}:lambda:path/2015-03-31/functions/{arn}/invocations"


class Alias(ResourceType):
    token = "aws:lambda/alias:Alias"
    mapped = frozenset({"description", "functionName", "functionVersion", "name", "routingConfig"})
    replace_on = frozenset({"functionName", "name"})
    naming = Naming(max_length=128)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        alias = aws.lambda_.create_alias(**request("lambda", "CreateAlias", without(inputs)))
        return Created(f"{inputs['functionName']}/{inputs['name']}", self._outputs(aws, alias["AliasArn"]))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        removed = {"description": ""} if "description" not in inputs else {}
        alias = aws.lambda_.update_alias(**request("lambda", "UpdateAlias", {**without(inputs), **removed}))
        return self._outputs(aws, alias["AliasArn"])

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.lambda_.delete_alias(FunctionName=existing.inputs["functionName"], Name=existing.inputs["name"])

    def _outputs(self, aws: Aws, arn: str) -> Properties:
        return {"arn": arn, "invokeArn": _invoke_arn(aws, arn)}


class ProvisionedConcurrencyConfig(ResourceType):
    """Kept by the emulator, whose functions are always warm."""

    token = "aws:lambda/provisionedConcurrencyConfig:ProvisionedConcurrencyConfig"
    mapped = frozenset({"functionName", "provisionedConcurrentExecutions", "qualifier"})
    replace_on = frozenset({"functionName", "qualifier"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.lambda_.put_provisioned_concurrency_config(
            **request("lambda", "PutProvisionedConcurrencyConfig", without(inputs))
        )
        return Created(f"{inputs['functionName']}:{inputs['qualifier']}", {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        return self.create(aws, inputs).outputs

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.lambda_.delete_provisioned_concurrency_config(
            FunctionName=existing.inputs["functionName"], Qualifier=existing.inputs["qualifier"]
        )


class LayerVersion(ResourceType):
    token = "aws:lambda/layerVersion:LayerVersion"
    mapped = frozenset(
        {"code", "compatibleArchitectures", "compatibleRuntimes", "description", "layerName", "licenseInfo"}
    )
    ignored = {"sourceCodeHash": "the archive's own hash decides whether the code changed"}  # noqa: RUF012 - a ClassVar of the base
    replace_on = mapped

    def create(self, aws: Aws, inputs: Properties) -> Created:
        if "code" not in inputs:
            raise DeployError("property code: a layer needs an archive")
        layer = {**without(inputs, "code", *self.ignored), "content": {"zipFile": inputs["code"].data}}
        published = aws.lambda_.publish_layer_version(**request("lambda", "PublishLayerVersion", layer))
        arn = published["LayerVersionArn"]
        return Created(
            arn,
            {
                "arn": arn,
                "codeSha256": published["Content"].get("CodeSha256", ""),
                "createdDate": published["CreatedDate"],
                "layerArn": published["LayerArn"],
                "sourceCodeSize": published["Content"].get("CodeSize", 0),
                "version": str(published["Version"]),
            },
        )

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        return existing.outputs

    def delete(self, aws: Aws, existing: Existing) -> None:
        name, version = str(existing.outputs["layerArn"]), int(existing.outputs["version"])
        aws.lambda_.delete_layer_version(LayerName=name.rpartition(":")[2], VersionNumber=version)

    def listing(self, aws: Aws) -> set[str]:
        names = [
            layer.get("LayerName", "")
            for page in aws.lambda_.get_paginator("list_layers").paginate()
            for layer in page["Layers"]
        ]
        return {
            version.get("LayerVersionArn", "")
            for name in names
            for page in aws.lambda_.get_paginator("list_layer_versions").paginate(LayerName=name)
            for version in page["LayerVersions"]
        }


class FunctionEventInvokeConfig(ResourceType):
    token = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
    mapped = frozenset(
        {"destinationConfig", "functionName", "maximumEventAgeInSeconds", "maximumRetryAttempts", "qualifier"}
    )
    replace_on = frozenset({"functionName", "qualifier"})
    delete_before_replace = True

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.lambda_.put_function_event_invoke_config(
            **request("lambda", "PutFunctionEventInvokeConfig", without(inputs))
        )
        return Created(":".join(str(inputs[key]) for key in ("functionName", "qualifier") if key in inputs), {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        return self.create(aws, inputs).outputs

    def delete(self, aws: Aws, existing: Existing) -> None:
        keys = {key: existing.inputs[key] for key in ("functionName", "qualifier") if key in existing.inputs}
        aws.lambda_.delete_function_event_invoke_config(**request("lambda", "DeleteFunctionEventInvokeConfig", keys))


class Permission(ResourceType):
    token = "aws:lambda/permission:Permission"
    mapped = frozenset(
        {
            "action",
            "eventSourceToken",
            "function",
            "principal",
            "principalOrgId",
            "qualifier",
            "sourceAccount",
            "sourceArn",
            "statementId",
        }
    )
    replace_on = mapped
    naming = Naming("statementId", max_length=100)
    delete_before_replace = True

    def create(self, aws: Aws, inputs: Properties) -> Created:
        names = {"function": "FunctionName", "principalOrgId": "PrincipalOrgID"}
        aws.lambda_.add_permission(**request("lambda", "AddPermission", without(inputs), names))
        return Created(str(inputs["statementId"]), {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        raise AssertionError("every property of a permission replaces it")

    def delete(self, aws: Aws, existing: Existing) -> None:
        parameters = {
            key: existing.inputs[key] for key in ("function", "statementId", "qualifier") if key in existing.inputs
        }
        aws.lambda_.remove_permission(**request("lambda", "RemovePermission", parameters, {"function": "FunctionName"}))


class EventSourceMapping(ResourceType):
    """Checked and written to the state file; `local.delivery` executes it, because the emulator's own poller is not
    faithful.
    """

    token = "aws:lambda/eventSourceMapping:EventSourceMapping"
    mapped = frozenset(
        {
            "batchSize",
            "bisectBatchOnFunctionError",
            "destinationConfig",
            "enabled",
            "eventSourceArn",
            "filterCriteria",
            "functionName",
            "functionResponseTypes",
            "maximumBatchingWindowInSeconds",
            "maximumRecordAgeInSeconds",
            "maximumRetryAttempts",
            "parallelizationFactor",
            "scalingConfig",
            "startingPosition",
            "startingPositionTimestamp",
            "tags",
            "tumblingWindowInSeconds",
        }
    )
    replace_on = frozenset({"eventSourceArn", "startingPosition", "startingPositionTimestamp"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        request("lambda", "CreateEventSourceMapping", without(inputs), _MAPPING_NAMES)
        identifier = str(uuid.uuid4())
        return Created(identifier, self._outputs(aws, identifier, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        request("lambda", "CreateEventSourceMapping", without(inputs), _MAPPING_NAMES)
        return self._outputs(aws, existing.id, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        """Nothing exists outside the state file."""

    def _outputs(self, aws: Aws, identifier: str, inputs: Properties) -> Properties:
        function = str(inputs["functionName"])
        return {
            "arn": aws.arn("lambda", f"event-source-mapping:{identifier}"),
            "functionArn": function if function.startswith("arn:") else aws.arn("lambda", f"function:{function}"),
            "state": "Enabled" if inputs.get("enabled", True) else "Disabled",
            "uuid": identifier,
        }


TYPES = (
    Function(),
    Alias(),
    ProvisionedConcurrencyConfig(),
    LayerVersion(),
    FunctionEventInvokeConfig(),
    Permission(),
    EventSourceMapping(),
)

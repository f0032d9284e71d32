"""Amazon API Gateway HTTP APIs. Their URLs are the ones the emulator answers under, not the AWS host names it would
print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployer.aws import PARTITION
from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties


class Api(ResourceType):
    token = "aws:apigatewayv2/api:Api"
    mapped = frozenset(
        {
            "corsConfiguration",
            "description",
            "disableExecuteApiEndpoint",
            "ipAddressType",
            "name",
            "protocolType",
            "routeSelectionExpression",
            "tags",
            "version",
        }
    )
    replace_on = frozenset({"protocolType"})
    naming = Naming(max_length=128, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("apigatewayv2", "CreateApi", without(inputs))
        identifier = aws.apigatewayv2.create_api(**parameters, Tags=inputs["tagsAll"])["ApiId"]
        return Created(identifier, self._outputs(aws, identifier, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if changed - {"tagsAll"}:
            if "corsConfiguration" in changed and "corsConfiguration" not in inputs:
                aws.apigatewayv2.delete_cors_configuration(ApiId=existing.id)
            parameters = {"apiId": existing.id, **without(inputs, "protocolType")}
            aws.apigatewayv2.update_api(**request("apigatewayv2", "UpdateApi", parameters))
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.apigatewayv2.untag_resource(ResourceArn=arn, TagKeys=tags.removed)
        if tags.added:
            aws.apigatewayv2.tag_resource(ResourceArn=arn, Tags=tags.added)
        return self._outputs(aws, existing.id, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.apigatewayv2.delete_api(ApiId=existing.id)

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.apigatewayv2.get_paginator("get_apis").paginate()
        return {api.get("ApiId", "") for page in pages for api in page["Items"]}

    def _outputs(self, aws: Aws, identifier: str, inputs: Properties) -> Properties:
        return {
            "apiEndpoint": f"{aws.endpoint_url}/_aws/execute-api/{identifier}",
            "arn": f"arn:{PARTITION}:apigateway:{aws.region}::/apis/{identifier}",
            "executionArn": aws.arn("execute-api", identifier),
            "name": inputs["name"],
        }


class Integration(ResourceType):
    token = "aws:apigatewayv2/integration:Integration"
    mapped = frozenset(
        {
            "apiId",
            "connectionType",
            "credentialsArn",
            "description",
            "integrationMethod",
            "integrationSubtype",
            "integrationType",
            "integrationUri",
            "passthroughBehavior",
            "payloadFormatVersion",
            "requestParameters",
            "timeoutMilliseconds",
        }
    )
    replace_on = frozenset({"apiId", "integrationType", "integrationSubtype"})

    _NAMES = {"timeoutMilliseconds": "TimeoutInMillis"}  # noqa: RUF012 - a constant

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("apigatewayv2", "CreateIntegration", without(inputs), self._NAMES)
        return Created(aws.apigatewayv2.create_integration(**parameters)["IntegrationId"], {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        parameters = {"integrationId": existing.id, **without(inputs)}
        aws.apigatewayv2.update_integration(**request("apigatewayv2", "UpdateIntegration", parameters, self._NAMES))
        return {}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.apigatewayv2.delete_integration(ApiId=existing.inputs["apiId"], IntegrationId=existing.id)


class Route(ResourceType):
    token = "aws:apigatewayv2/route:Route"
    mapped = frozenset(
        {
            "apiId",
            "apiKeyRequired",
            "authorizationScopes",
            "authorizationType",
            "authorizerId",
            "operationName",
            "routeKey",
            "target",
        }
    )
    replace_on = frozenset({"apiId"})

    def create(self, aws: Aws, inputs: Properties) -> Created:
        created = aws.apigatewayv2.create_route(**request("apigatewayv2", "CreateRoute", without(inputs)))
        return Created(created["RouteId"], {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        aws.apigatewayv2.update_route(
            **request("apigatewayv2", "UpdateRoute", {"routeId": existing.id, **without(inputs)})
        )
        return {}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.apigatewayv2.delete_route(ApiId=existing.inputs["apiId"], RouteId=existing.id)


class Authorizer(ResourceType):
    token = "aws:apigatewayv2/authorizer:Authorizer"
    mapped = frozenset(
        {
            "apiId",
            "authorizerCredentialsArn",
            "authorizerPayloadFormatVersion",
            "authorizerResultTtlInSeconds",
            "authorizerType",
            "authorizerUri",
            "enableSimpleResponses",
            "identitySources",
            "jwtConfiguration",
            "name",
        }
    )
    replace_on = frozenset({"apiId"})
    naming = Naming(max_length=128, is_id=False)

    _NAMES = {"identitySources": "IdentitySource", "audiences": "Audience"}  # noqa: RUF012 - a constant

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("apigatewayv2", "CreateAuthorizer", without(inputs), self._NAMES)
        return Created(aws.apigatewayv2.create_authorizer(**parameters)["AuthorizerId"], {})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        parameters = {"authorizerId": existing.id, **without(inputs)}
        aws.apigatewayv2.update_authorizer(**request("apigatewayv2", "UpdateAuthorizer", parameters, self._NAMES))
        return {}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.apigatewayv2.delete_authorizer(ApiId=existing.inputs["apiId"], AuthorizerId=existing.id)


class Stage(ResourceType):
    token = "aws:apigatewayv2/stage:Stage"
    mapped = frozenset(
        {
            "accessLogSettings",
            "apiId",
            "autoDeploy",
            "defaultRouteSettings",
            "description",
            "name",
            "routeSettings",
            "stageVariables",
            "tags",
        }
    )
    replace_on = frozenset({"apiId", "name"})
    naming = Naming(max_length=128)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("apigatewayv2", "CreateStage", _stage(inputs), {"name": "StageName"})
        aws.apigatewayv2.create_stage(**parameters, Tags=inputs["tagsAll"])
        return Created(str(inputs["name"]), self._outputs(aws, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if changed - {"tagsAll"}:
            if "accessLogSettings" in changed and "accessLogSettings" not in inputs:
                aws.apigatewayv2.delete_access_log_settings(ApiId=inputs["apiId"], StageName=existing.id)
            aws.apigatewayv2.update_stage(
                **request("apigatewayv2", "UpdateStage", _stage(inputs), {"name": "StageName"})
            )
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.apigatewayv2.untag_resource(ResourceArn=arn, TagKeys=tags.removed)
        if tags.added:
            aws.apigatewayv2.tag_resource(ResourceArn=arn, Tags=tags.added)
        return self._outputs(aws, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.apigatewayv2.delete_stage(ApiId=existing.inputs["apiId"], StageName=existing.id)

    def _outputs(self, aws: Aws, inputs: Properties) -> Properties:
        api, name = inputs["apiId"], inputs["name"]
        return {
            "arn": f"arn:{PARTITION}:apigateway:{aws.region}::/apis/{api}/stages/{name}",
            "executionArn": aws.arn("execute-api", f"{api}/{name}"),
            "invokeUrl": f"{aws.endpoint_url}/_aws/execute-api/{api}/{name}",
        }


def _stage(inputs: Properties) -> Properties:
    stage = without(inputs, "routeSettings")
    if "routeSettings" in inputs:
        stage["routeSettings"] = {
            settings["routeKey"]: {key: value for key, value in settings.items() if key != "routeKey"}
            for settings in inputs["routeSettings"]
        }
    return stage


TYPES = (Api(), Integration(), Route(), Authorizer(), Stage())

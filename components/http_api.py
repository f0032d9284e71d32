"""An HTTP API on which every route demands a token, and some routes a token with a scope."""

import json
import re
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.function import Function
from components.inputs import InputError, check_inputs

_ROUTE_KEY = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[a-z0-9-]+|/\{[a-z_]+\})+")
_ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatencyMs": "$context.responseLatency",
    "integrationLatencyMs": "$context.integrationLatency",
    "responseLength": "$context.responseLength",
    "player": "$context.authorizer.claims.sub",
    "authorizerError": "$context.authorizer.error",
    "integrationError": "$context.integrationErrorMessage",
}


class HttpApiArgs(TypedDict):
    """Inputs of `HttpApi`."""

    jwt_issuer: pulumi.Input[str]
    """HTTPS URL of the token issuer; its ``/.well-known/openid-configuration`` must be public."""
    jwt_audience: pulumi.Input[str]
    """The ``aud`` or ``client_id`` a token must carry."""
    further_jwt_audiences: NotRequired[Sequence[pulumi.Input[str]]]
    """Others it may carry instead, such as the client of a service. Default: none."""
    log_retention_days: int
    """How long the access log keeps its events."""
    allowed_origins: NotRequired[Sequence[str]]
    """Browser origins that may call the API. Default: none."""
    requests_per_second: NotRequired[int]
    """Steady rate above which callers get 429. Default: 1000."""
    burst_requests: NotRequired[int]
    """Requests that may arrive at once above the steady rate. Default: 500."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of server errors. Default: the alarm is only shown in CloudWatch."""


class HttpApi(pulumi.ComponentResource):
    """An API Gateway HTTP API with a JWT authorizer, a JSON access log, throttling and an alarm on server errors."""

    url: pulumi.Output[str]
    """Base URL, without a trailing slash."""
    api_id: pulumi.Output[str]
    """Id of the API."""

    def __init__(self, name: str, args: HttpApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:HttpApi", name, {}, opts)
        check_inputs("HttpApi", name, args, HttpApiArgs)
        origins = args.get("allowed_origins", ())
        child = pulumi.ResourceOptions(parent=self)

        api = aws.apigatewayv2.Api(
            f"{name}-api",
            protocol_type="HTTP",
            cors_configuration={
                "allow_origins": list(origins),
                "allow_methods": ["GET", "POST", "PATCH", "DELETE"],
                "allow_headers": ["authorization", "content-type", "traceparent"],
                "expose_headers": ["traceresponse"],
                "max_age": 3600,
            }
            if origins
            else None,
            opts=child,
        )
        authorizer = aws.apigatewayv2.Authorizer(
            f"{name}-authorizer",
            api_id=api.id,
            authorizer_type="JWT",
            identity_sources=["$request.header.Authorization"],
            jwt_configuration={
                "issuer": args["jwt_issuer"],
                "audiences": [args["jwt_audience"], *args.get("further_jwt_audiences", ())],
            },
            opts=child,
        )
        log_group = aws.cloudwatch.LogGroup(f"{name}-logs", retention_in_days=args["log_retention_days"], opts=child)
        stage = aws.apigatewayv2.Stage(
            f"{name}-stage",
            api_id=api.id,
            name="$default",
            auto_deploy=True,
            access_log_settings={
                "destination_arn": log_group.arn,
                "format": json.dumps(_ACCESS_LOG_FIELDS),
            },
            default_route_settings={
                "throttling_rate_limit": args.get("requests_per_second", 1000),
                "throttling_burst_limit": args.get("burst_requests", 500),
                "detailed_metrics_enabled": True,
            },
            opts=child,
        )
        raise_alarm(
            f"{name}-server-errors",
            parent=self,
            description=f"{name} answered with a 5xx; read the access log and the log group of the route's function",
            namespace="AWS/ApiGateway",
            metric="5xx",
            dimensions={"ApiId": api.id},
            topic_arn=args.get("alarm_topic_arn"),
        )

        self._authorizer = authorizer
        self._stage_execution_arn = stage.execution_arn
        self._integrations: dict[str, aws.apigatewayv2.Integration] = {}
        self.url = stage.invoke_url.apply(lambda url: url.rstrip("/"))
        self.api_id = api.id
        self.register_outputs({"url": self.url, "api_id": self.api_id})

    def route(self, route_key: str, function: Function, *, scopes: Sequence[str] = ()) -> None:
        """Answer a route with a function.

        Parameters
        ----------
        route_key
            Method and path, such as ``GET /asks/{id}``.
        function
            Handler of API Gateway's payload format 2.0. Grant it what it needs first: the route opens after its grants.
        scopes
            OAuth scopes of which a token must have one, such as ``market/audit``. Empty: any valid token will do.

        Raises
        ------
        InputError
            The route key is malformed.
        """
        if not _ROUTE_KEY.fullmatch(route_key):
            rule = f"must be a method and a path such as GET /asks/{{id}}, got {route_key}"
            raise InputError("HttpApi", self.pulumi_resource_name, "route_key", rule)
        method, path = route_key.split(" ")
        name = f"{self.pulumi_resource_name}-{method.lower()}-{'-'.join(re.findall('[a-z0-9_-]+', path))}"

        permission = aws.lambda_.Permission(
            f"{name}-permission",
            action="lambda:InvokeFunction",
            function=function.function_name,
            qualifier=function.alias_name,
            principal="apigateway.amazonaws.com",
            source_arn=pulumi.Output.concat(self._stage_execution_arn, "/", method, path),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.apigatewayv2.Route(
            f"{name}-route",
            api_id=self.api_id,
            route_key=route_key,
            authorization_type="JWT",
            authorizer_id=self._authorizer.id,
            authorization_scopes=list(scopes) or None,
            target=pulumi.Output.concat("integrations/", self._integration(function).id),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission, *function.grants]),
        )

    def _integration(self, function: Function) -> aws.apigatewayv2.Integration:
        """One integration serves all routes of a function."""
        key = function.pulumi_resource_name
        if key not in self._integrations:
            self._integrations[key] = aws.apigatewayv2.Integration(
                f"{self.pulumi_resource_name}-{key}-integration",
                api_id=self.api_id,
                integration_type="AWS_PROXY",
                integration_method="POST",
                integration_uri=function.invoke_arn,
                payload_format_version="2.0",
                opts=pulumi.ResourceOptions(parent=self),
            )
        return self._integrations[key]

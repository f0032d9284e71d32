"""How each AWS resource type the program uses is made in the emulator: one file per service, one class per type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.deployer.resources import (
    apigatewayv2,
    appsync,
    cloudwatch,
    cognito,
    dynamodb,
    iam,
    kinesis,
    lambda_,
    pipes,
    s3,
    scheduler,
    sns,
    sqs,
)

if TYPE_CHECKING:
    from local.deployer.resources.protocol import ResourceType

_SERVICES = (
    apigatewayv2,
    appsync,
    cloudwatch,
    cognito,
    dynamodb,
    iam,
    kinesis,
    lambda_,
    pipes,
    s3,
    scheduler,
    sns,
    sqs,
)

RESOURCE_TYPES: dict[str, ResourceType] = {kind.token: kind for service in _SERVICES for kind in service.TYPES}
"""Every known resource type by its Pulumi token."""

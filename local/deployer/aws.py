"""The emulator as the deployer sees it: a client per service, and a count of the calls made."""

from __future__ import annotations

import threading
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from local.clients import emulator_client

if TYPE_CHECKING:
    from types_boto3_apigatewayv2 import ApiGatewayV2Client
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_cognito_idp import CognitoIdentityProviderClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_iam import IAMClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient

PARTITION = "aws"


class Aws:
    """Clients of one account and region of the emulator.

    Parameters
    ----------
    endpoint_url
        URL of the emulator.
    account_id
        Twelve digits; also the access key, which is how the emulator tells accounts apart.
    region
        Region of the clients.
    """

    def __init__(self, endpoint_url: str, account_id: str, region: str) -> None:
        self.endpoint_url = endpoint_url
        self.account_id = account_id
        self.region = region
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource in this account and region."""
        return f"arn:{PARTITION}:{service}:{self.region}:{self.account_id}:{resource}"

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self._client("dynamodb")

    @cached_property
    def lambda_(self) -> LambdaClient:
        return self._client("lambda")

    @cached_property
    def iam(self) -> IAMClient:
        return self._client("iam")

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self._client("logs")

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self._client("cloudwatch")

    @cached_property
    def sqs(self) -> SQSClient:
        return self._client("sqs")

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def sns(self) -> SNSClient:
        return self._client("sns")

    @cached_property
    def kinesis(self) -> KinesisClient:
        return self._client("kinesis")

    @cached_property
    def apigatewayv2(self) -> ApiGatewayV2Client:
        return self._client("apigatewayv2")

    @cached_property
    def appsync(self) -> Any:
        return self._client("appsync")

    @cached_property
    def cognito(self) -> CognitoIdentityProviderClient:
        return self._client("cognito-idp")

    def _client(self, service: str) -> Any:
        client = emulator_client(service, self.endpoint_url, self.account_id, self.region, self._config)
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        with self._lock:
            self.calls[f"{model.service_model.service_name}:{model.name}"] += 1

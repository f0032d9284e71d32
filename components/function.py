"""A Python function on Lambda with its role, its log group and its alarms."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.grants import Statement, allow, service_trust_policy
from components.inputs import InputError, check_inputs, check_range

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"
# AWS publishes Powertools for AWS Lambda (Python) from this account to every commercial region. A layer version never
# changes: 36 holds Powertools 3.31.1, which the requirements pin too. AWS tells the ARN of a release with
# `aws ssm get-parameter --name /aws/service/powertools/python/arm64/python3.13/3.31.1`.
_POWERTOOLS_ACCOUNT = "017000801446"
_POWERTOOLS_LAYER = "AWSLambdaPowertoolsPythonV3-python313-arm64:36"
_MOST_FURTHER_LAYERS = 4


class FunctionArgs(TypedDict):
    """Inputs of `Function`."""

    handler: str
    """Dotted path of the handler inside the archive, such as ``functions.matcher.handler``."""
    code: pulumi.Archive
    """Archive with the function's sources."""
    log_retention_days: int
    """How long the function's log group keeps its events."""
    variables: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Environment variables besides ENVIRONMENT and the POWERTOOLS ones. Default: none."""
    layers: NotRequired[Sequence[pulumi.Input[str]]]
    """ARNs of layer versions besides Powertools, four at most. Default: none."""
    memory_mb: NotRequired[int]
    """Memory in MB, 128..10240; CPU grows with it, one core at 1769. Default: 512."""
    timeout_s: NotRequired[int]
    """Longest run in seconds, 1..900. Default: 15, more than the SDK takes to give up on a silent service."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of errors and throttles. Default: the alarms are only shown in CloudWatch."""


class Function(pulumi.ComponentResource):
    """A Lambda function on arm64 with JSON logs, the Powertools layer, and a role without rights until granted."""

    arn: pulumi.Output[str]
    """ARN of the function."""
    function_name: pulumi.Output[str]
    """Physical name of the function."""
    invoke_arn: pulumi.Output[str]
    """ARN by which API Gateway invokes the function."""
    role_name: pulumi.Output[str]
    """Physical name of the function's role: what grants are attached to."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Function", name, {}, opts)
        check_inputs("Function", name, args, FunctionArgs)
        memory_mb = args.get("memory_mb", 512)
        timeout_s = args.get("timeout_s", 15)
        check_range("Function", name, "memory_mb", memory_mb, low=128, high=10_240)
        check_range("Function", name, "timeout_s", timeout_s, low=1, high=900)
        layers = args.get("layers", [])
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: five, of which Powertools is one.
        if len(layers) > _MOST_FURTHER_LAYERS:
            raise InputError("Function", name, "layers", f"must be {_MOST_FURTHER_LAYERS} at most, got {len(layers)}")
        child = pulumi.ResourceOptions(parent=self)
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region

        log_group = aws.cloudwatch.LogGroup(f"{name}-logs", retention_in_days=args["log_retention_days"], opts=child)
        role = aws.iam.Role(f"{name}-role", assume_role_policy=service_trust_policy("lambda.amazonaws.com"), opts=child)
        # Lambda names log streams at run time, so the narrowest log right is a wildcard over streams. AWS's managed
        # policy holds that one; our own documents hold none.
        logging = aws.iam.RolePolicyAttachment(
            f"{name}-logging",
            role=role.name,
            policy_arn=pulumi.Output.concat(
                "arn:", partition, ":iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
            ),
            opts=child,
        )
        function = aws.lambda_.Function(
            f"{name}-function",
            runtime=RUNTIME,
            architectures=[ARCHITECTURE],
            handler=args["handler"],
            code=args["code"],
            role=role.arn,
            memory_size=memory_mb,
            timeout=timeout_s,
            layers=[
                pulumi.Output.concat(
                    "arn:", partition, ":lambda:", region, ":", _POWERTOOLS_ACCOUNT, ":layer:", _POWERTOOLS_LAYER
                ),
                *layers,
            ],
            environment={
                "variables": {
                    "ENVIRONMENT": pulumi.get_stack(),
                    "POWERTOOLS_SERVICE_NAME": name,
                    "POWERTOOLS_LOG_LEVEL": "INFO",
                    **args.get("variables", {}),
                }
            },
            logging_config={
                "log_format": "JSON",
                "application_log_level": "INFO",
                "system_log_level": "WARN",
                "log_group": log_group.name,
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logging]),
        )
        for metric, description in (
            ("Errors", f"{name} raised an exception or timed out; read its log group"),
            ("Throttles", f"{name} was refused for lack of concurrency"),
        ):
            raise_alarm(
                f"{name}-{metric.lower()}",
                parent=self,
                description=description,
                namespace="AWS/Lambda",
                metric=metric,
                dimensions={"FunctionName": function.name},
                topic_arn=args.get("alarm_topic_arn"),
            )

        self._grants: list[pulumi.Resource] = []
        self.arn = function.arn
        self.function_name = function.name
        self.invoke_arn = function.invoke_arn
        self.role_name = role.name
        self.register_outputs(
            {
                "arn": self.arn,
                "function_name": self.function_name,
                "invoke_arn": self.invoke_arn,
                "role_name": self.role_name,
            }
        )

    @property
    def grants(self) -> Sequence[pulumi.Resource]:
        """Policies granted so far; an edge that calls the function depends on them: no call before its rights."""
        return tuple(self._grants)

    def allow(self, edge: str, statements: Sequence[Statement]) -> None:
        """Let the function do something.

        Parameters
        ----------
        edge
            What the right is for; names the policy, once per function.
        statements
            Listed actions on complete ARNs.
        """
        policy = allow(f"{self.pulumi_resource_name}-{edge}", self.role_name, statements, parent=self)
        self._grants.append(policy)

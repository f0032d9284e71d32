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
    provisioned_concurrency: NotRequired[int]
    """Instances kept initialized, 0..1000; callers reach them through an alias. Default: 0."""
    snap_start: NotRequired[bool]
    """Whether instances start from a snapshot of their initialized state, through an alias; not together with
    ``provisioned_concurrency``. Default: no."""
    traced: NotRequired[bool]
    """Whether invocations are traced to AWS X-Ray. Default: no."""
    alarm_topic_arn: NotRequired[pulumi.Input[str] | None]
    """SNS topic to notify of errors and throttles. Default: the alarms are only shown in CloudWatch."""


class Start(TypedDict):
    """How a function's instances start and are watched: the part of `FunctionArgs` that environments differ in."""

    provisioned_concurrency: int
    snap_start: bool
    traced: bool


class Function(pulumi.ComponentResource):
    """A Lambda function on arm64 with JSON logs, the Powertools layer, and a role without rights until granted."""

    arn: pulumi.Output[str]
    """ARN of the function."""
    function_name: pulumi.Output[str]
    """Physical name of the function."""
    invoke_arn: pulumi.Output[str]
    """ARN by which API Gateway invokes the function, or its alias if it has one."""
    alias_name: pulumi.Output[str] | None
    """Alias to call if instances are kept warm or start from a snapshot; None: call the function itself."""
    alias_arn: pulumi.Output[str] | None
    """ARN of that alias."""
    role_name: pulumi.Output[str]
    """Physical name of the function's role: what grants are attached to."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:Function", name, {}, opts)
        check_inputs("Function", name, args, FunctionArgs)
        memory_mb = args.get("memory_mb", 512)
        timeout_s = args.get("timeout_s", 15)
        check_range("Function", name, "memory_mb", memory_mb, low=128, high=10_240)
        check_range("Function", name, "timeout_s", timeout_s, low=1, high=900)
        provisioned_concurrency = args.get("provisioned_concurrency", 0)
        snap_start = args.get("snap_start", False)
        check_range("Function", name, "provisioned_concurrency", provisioned_concurrency, low=0, high=1000)
        if snap_start and provisioned_concurrency:
            # https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html, "Supported features and limitations"
            raise InputError("Function", name, "snap_start", "must be false with 'provisioned_concurrency'")
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
        ready: list[pulumi.Resource] = [logging]
        if args.get("traced", False):
            # X-Ray's actions take no resource but all of them: AWS's managed policy holds that wildcard, ours none.
            ready.append(
                aws.iam.RolePolicyAttachment(
                    f"{name}-tracing",
                    role=role.name,
                    policy_arn=pulumi.Output.concat("arn:", partition, ":iam::aws:policy/AWSXRayDaemonWriteAccess"),
                    opts=child,
                )
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
            tracing_config={"mode": "Active"} if args.get("traced", False) else None,
            snap_start={"apply_on": "PublishedVersions"} if snap_start else None,
            # Both ways of being warm belong to a published version.
            publish=True if snap_start or provisioned_concurrency else None,
            opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
        )
        alias = None
        if snap_start or provisioned_concurrency:
            alias = aws.lambda_.Alias(
                f"{name}-alias", function_name=function.name, function_version=function.version, opts=child
            )
        if alias is not None and provisioned_concurrency:
            aws.lambda_.ProvisionedConcurrencyConfig(
                f"{name}-warm",
                function_name=function.name,
                qualifier=alias.name,
                provisioned_concurrent_executions=provisioned_concurrency,
                opts=child,
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
        self.invoke_arn = function.invoke_arn if alias is None else alias.invoke_arn
        self.alias_name = None if alias is None else alias.name
        self.alias_arn = None if alias is None else alias.arn
        self.role_name = role.name
        self.register_outputs(
            {
                "arn": self.arn,
                "function_name": self.function_name,
                "invoke_arn": self.invoke_arn,
                "alias_name": self.alias_name,
                "alias_arn": self.alias_arn,
                "role_name": self.role_name,
            }
        )

    @property
    def grants(self) -> Sequence[pulumi.Resource]:
        """Policies granted so far; an edge that calls the function depends on them: no call before its rights."""
        return tuple(self._grants)

    def watch(self, edge: str, metric: str, description: str, topic_arn: pulumi.Input[str] | None) -> None:
        """Raise an alarm when the function itself counts trouble for three minutes in a row.

        Parameters
        ----------
        edge
            What is in trouble; names the alarm, once per function.
        metric
            What `functions.observability.counted` counts it as.
        description
            What happened, and what to look at; the function's name goes before it.
        topic_arn
            SNS topic to notify; ``None`` for an alarm that is only shown.
        """
        name = self.pulumi_resource_name
        raise_alarm(
            f"{name}-{edge}",
            parent=self,
            description=f"{name} {description}",
            namespace="CommoditiesMarket",
            metric=metric,
            dimensions={"service": name, "environment": pulumi.get_stack()},
            topic_arn=topic_arn,
            periods=3,
        )

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

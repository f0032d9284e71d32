"""The live feed: an AppSync Event API that players listen to and only the market's own functions publish on."""

from pathlib import Path
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.alarms import raise_alarm
from components.function import Function
from components.grants import service_trust_policy
from components.inputs import check_inputs
from components.player_pool import PlayerPool
from components.settings import Settings

_MARKET = "market"
_PLAYERS = "players"
_OWN_CHANNEL_ONLY = Path(__file__).with_name("live_feed_players.js")


class LiveFeedArgs(TypedDict):
    """Inputs of `LiveFeed`."""

    settings: Settings
    """Settings of the environment."""
    players: PlayerPool
    """Issuer of the tokens by which players connect and subscribe."""
    alarm_topic_arn: pulumi.Input[str]
    """SNS topic for alarms."""


class LiveFeed(pulumi.ComponentResource):
    """One Event API with two namespaces: ``market``, for every player, and ``players``, each channel for its player.

    Players connect and subscribe with the tokens they call the HTTP API with. Only IAM may publish: whoever was granted
    it. Clients find the API by the host of its HTTP endpoint, which their authorization names, and by the real-time
    address, where they open the WebSocket.
    """

    http_host: pulumi.Output[str]
    """Host of the HTTP endpoint; events are published at its path ``/event``."""
    realtime_host: pulumi.Output[str]
    """Host of the real-time endpoint."""
    realtime_url: pulumi.Output[str]
    """Address of the WebSocket."""

    def __init__(self, name: str, args: LiveFeedArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:LiveFeed", name, {}, opts)
        check_inputs("LiveFeed", name, args, LiveFeedArgs)
        child = pulumi.ResourceOptions(parent=self)

        players = self._player_tokens(args["players"])
        publishers: aws.appsync.ApiEventConfigAuthProviderArgsDict = {"auth_type": "AWS_IAM"}
        role, logging = self._log_role(name)
        api = aws.appsync.Api(
            f"{name}-api",
            event_config={
                "auth_providers": [players, publishers],
                "connection_auth_modes": [{"auth_type": players["auth_type"]}],
                "default_subscribe_auth_modes": [{"auth_type": players["auth_type"]}],
                "default_publish_auth_modes": [{"auth_type": publishers["auth_type"]}],
                "log_config": {"cloudwatch_logs_role_arn": role.arn, "log_level": "ERROR"},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logging]),
        )
        aws.cloudwatch.LogGroup(
            f"{name}-logs",
            # AppSync writes to the group of this name, and would make one that never forgets.
            name=pulumi.Output.concat("/aws/appsync/apis/", api.api_id),
            retention_in_days=args["settings"].log_retention_days,
            opts=child,
        )
        self._namespaces = [
            aws.appsync.ChannelNamespace(f"{name}-{_MARKET}", api_id=api.api_id, name=_MARKET, opts=child),
            aws.appsync.ChannelNamespace(
                f"{name}-{_PLAYERS}",
                api_id=api.api_id,
                name=_PLAYERS,
                code_handlers=_OWN_CHANNEL_ONLY.read_text("utf-8"),
                opts=child,
            ),
        ]
        self._alarm_topic_arn = args["alarm_topic_arn"]
        self._raise_alarms(name, api)

        self.http_host = api.dns.apply(lambda dns: dns["HTTP"])
        self.realtime_host = api.dns.apply(lambda dns: dns["REALTIME"])
        self.realtime_url = pulumi.Output.concat("wss://", self.realtime_host, "/event/realtime")
        self.register_outputs(
            {"http_host": self.http_host, "realtime_host": self.realtime_host, "realtime_url": self.realtime_url}
        )

    def grant_publish(self, function: Function) -> None:
        """Let a function publish on every channel, and watch that it does.

        A right is for a namespace; there is none for a single channel (Service Authorization Reference, "Actions,
        resources, and condition keys for AWS AppSync", ``EventPublish``).
        """
        arns = [namespace.channel_namespace_arn for namespace in self._namespaces]
        function.allow("publishes", [{"actions": ["appsync:EventPublish"], "resources": arns}])
        function.watch(
            "feed-failures",
            "FeedFailures",
            "does not publish: clients see the market late or re-read it; read its log group",
            self._alarm_topic_arn,
        )

    def _player_tokens(self, players: PlayerPool) -> aws.appsync.ApiEventConfigAuthProviderArgsDict:
        if players.pool_id is None:
            return {
                "auth_type": "OPENID_CONNECT",
                "openid_connect_config": {"issuer": players.jwt_issuer, "client_id": players.jwt_audience},
            }
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region
        return {
            "auth_type": "AMAZON_COGNITO_USER_POOLS",
            "cognito_config": {"aws_region": region, "user_pool_id": players.pool_id},
        }

    def _log_role(self, name: str) -> tuple[aws.iam.Role, aws.iam.RolePolicyAttachment]:
        child = pulumi.ResourceOptions(parent=self)
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        role = aws.iam.Role(
            f"{name}-log-role", assume_role_policy=service_trust_policy("appsync.amazonaws.com"), opts=child
        )
        # AppSync names log streams at run time. AWS's managed policy holds that wildcard, our own documents none.
        logging = aws.iam.RolePolicyAttachment(
            f"{name}-logging",
            role=role.name,
            policy_arn=pulumi.Output.concat(
                "arn:", partition, ":iam::aws:policy/service-role/AWSAppSyncPushToCloudWatchLogs"
            ),
            opts=child,
        )
        return role, logging

    def _raise_alarms(self, name: str, api: aws.appsync.Api) -> None:
        """Errors of AppSync's own; those of clients (4xx) anybody on the internet can cause.

        Metrics: https://docs.aws.amazon.com/appsync/latest/eventapi/cw-metrics.html
        """
        raise_alarm(
            f"{name}-publish-errors",
            parent=self,
            description=f"{name} failed to take events; clients re-read the book, and settlement is not concerned",
            namespace="AWS/AppSync",
            metric="5XXError",
            dimensions={"EventAPIId": api.api_id},
            topic_arn=self._alarm_topic_arn,
        )
        for namespace in self._namespaces:
            whole = namespace.pulumi_resource_name
            for metric, what in (("SubscribeServerError", "subscribe"), ("BroadcastEventServerError", "broadcast")):
                raise_alarm(
                    f"{whole}-{what}-errors",
                    parent=self,
                    description=f"AppSync failed to {what} on a channel of {whole}; read the log group of its API",
                    namespace="AWS/AppSync",
                    metric=metric,
                    dimensions={"EventAPIId": api.api_id, "ChannelNamespaceName": namespace.name},
                    topic_arn=self._alarm_topic_arn,
                )

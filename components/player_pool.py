"""Who the players are: a Cognito pool of the environment's own, or the issuer a game already has."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.inputs import InputError, check_inputs


class PlayerPoolArgs(TypedDict):
    """Inputs of `PlayerPool`."""

    deletion_protection: bool
    """Whether AWS and Pulumi both refuse to delete the pool, and keep it when it leaves the program."""
    admin_sign_in: NotRequired[bool]
    """Whether an operator with IAM rights may sign in as a player (``AdminInitiateAuth``). Default: false."""
    jwt_issuer: NotRequired[str | None]
    """HTTPS URL of an external issuer, with `jwt_audience`. Default: a Cognito pool is created."""
    jwt_audience: NotRequired[str | None]
    """Audience of the external issuer's tokens."""


class PlayerPool(pulumi.ComponentResource):
    """The issuer of player tokens. A pool of one's own is filled by the game's service, not by sign-up."""

    jwt_issuer: pulumi.Output[str]
    """URL of the token issuer."""
    jwt_audience: pulumi.Output[str]
    """Audience a token must carry."""
    pool_id: pulumi.Output[str] | None
    """Id of the Cognito pool; nothing with an external issuer."""
    client_id: pulumi.Output[str] | None
    """Id of the pool's application client; nothing with an external issuer."""

    def __init__(self, name: str, args: PlayerPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("commodities-market:index:PlayerPool", name, {}, opts)
        check_inputs("PlayerPool", name, args, PlayerPoolArgs)
        issuer = args.get("jwt_issuer")
        audience = args.get("jwt_audience")
        if (issuer is None) != (audience is None):
            raise InputError("PlayerPool", name, "jwt_issuer", "and 'jwt_audience' must be given together")

        if issuer is not None and audience is not None:
            self.jwt_issuer = pulumi.Output.from_input(issuer)
            self.jwt_audience = pulumi.Output.from_input(audience)
            self.pool_id = None
            self.client_id = None
        else:
            pool = self._pool(name, args["deletion_protection"])
            client = self._client(name, pool, admin_sign_in=args.get("admin_sign_in", False))
            self.jwt_issuer = pulumi.Output.concat("https://", pool.endpoint)
            self.jwt_audience = client.id
            self.pool_id = pool.id
            self.client_id = client.id
        self.register_outputs(
            {
                "jwt_issuer": self.jwt_issuer,
                "jwt_audience": self.jwt_audience,
                "pool_id": self.pool_id,
                "client_id": self.client_id,
            }
        )

    def _pool(self, name: str, protected: bool) -> aws.cognito.UserPool:
        return aws.cognito.UserPool(
            f"{name}-pool",
            username_configuration={"case_sensitive": False},
            admin_create_user_config={"allow_admin_create_user_only": True},
            password_policy={
                "minimum_length": 12,
                "require_lowercase": True,
                "require_uppercase": True,
                "require_numbers": True,
                "require_symbols": True,
                "temporary_password_validity_days": 7,
            },
            mfa_configuration="OPTIONAL",
            software_token_mfa_configuration={"enabled": True},
            account_recovery_setting={"recovery_mechanisms": [{"name": "verified_email", "priority": 1}]},
            deletion_protection="ACTIVE" if protected else "INACTIVE",
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )

    def _client(self, name: str, pool: aws.cognito.UserPool, *, admin_sign_in: bool) -> aws.cognito.UserPoolClient:
        flows = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]
        if admin_sign_in:
            flows.append("ALLOW_ADMIN_USER_PASSWORD_AUTH")
        return aws.cognito.UserPoolClient(
            f"{name}-client",
            user_pool_id=pool.id,
            # A game client runs on the player's machine: a secret in it would be none.
            generate_secret=False,
            explicit_auth_flows=flows,
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            access_token_validity=60,
            id_token_validity=60,
            refresh_token_validity=30,
            token_validity_units={"access_token": "minutes", "id_token": "minutes", "refresh_token": "days"},
            opts=pulumi.ResourceOptions(parent=self),
        )

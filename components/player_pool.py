"""Who the players and the game's own service are: a Cognito pool of the environment's own, or an issuer that exists."""

from hashlib import sha256
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components.inputs import InputError, check_inputs

RESOURCE_SERVER = "market"
"""What the scopes of this API begin with."""

ACCOUNTS_WRITE_SCOPE = f"{RESOURCE_SERVER}/accounts.write"
"""Scope of whoever may deposit to players' accounts and withdraw from them."""

AUDIT_SCOPE = f"{RESOURCE_SERVER}/audit"
"""Scope of whoever may read everything, to check it."""

_SCOPES = {
    ACCOUNTS_WRITE_SCOPE: "Deposit to players' accounts and withdraw from them",
    AUDIT_SCOPE: "Read the history of everything and check it",
}


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
    """The issuer of player tokens, and of the tokens of the game's own service.

    A pool of one's own is filled by the service, not by sign-up. The service gets its tokens, which carry the scopes
    ``market/accounts.write`` and ``market/audit``, from `token_url` with its client's id and secret (OAuth client
    credentials). With an external issuer, tokens and scopes are the issuer's affair.
    """

    jwt_issuer: pulumi.Output[str]
    """URL of the token issuer."""
    jwt_audience: pulumi.Output[str]
    """Audience a token must carry."""
    pool_id: pulumi.Output[str] | None
    """Id of the Cognito pool; nothing with an external issuer."""
    client_id: pulumi.Output[str] | None
    """Id of the pool's application client; nothing with an external issuer."""
    service_client_id: pulumi.Output[str] | None
    """Id of the service's client, which has a secret; nothing with an external issuer."""
    token_url: pulumi.Output[str] | None
    """Where the service gets its tokens; nothing with an external issuer."""

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
            self.service_client_id = None
            self.token_url = None
        else:
            protected = args["deletion_protection"]
            pool = self._pool(name, protected)
            client = self._client(name, pool, admin_sign_in=args.get("admin_sign_in", False))
            self.jwt_issuer = pulumi.Output.concat("https://", pool.endpoint)
            self.jwt_audience = client.id
            self.pool_id = pool.id
            self.client_id = client.id
            self.service_client_id = self._service_client(name, pool).id
            self.token_url = self._token_url(name, pool, protected)
        self.register_outputs(
            {
                "jwt_issuer": self.jwt_issuer,
                "jwt_audience": self.jwt_audience,
                "pool_id": self.pool_id,
                "client_id": self.client_id,
                "service_client_id": self.service_client_id,
                "token_url": self.token_url,
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

    def _service_client(self, name: str, pool: aws.cognito.UserPool) -> aws.cognito.UserPoolClient:
        server = aws.cognito.ResourceServer(
            f"{name}-scopes",
            user_pool_id=pool.id,
            identifier=RESOURCE_SERVER,
            name=RESOURCE_SERVER,
            scopes=[
                {"scope_name": scope.removeprefix(f"{RESOURCE_SERVER}/"), "scope_description": description}
                for scope, description in _SCOPES.items()
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return aws.cognito.UserPoolClient(
            f"{name}-service-client",
            user_pool_id=pool.id,
            generate_secret=True,
            # Nobody signs in through it: it only exchanges its own credentials for tokens.
            explicit_auth_flows=["ALLOW_REFRESH_TOKEN_AUTH"],
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_flows=["client_credentials"],
            allowed_oauth_scopes=list(_SCOPES),
            prevent_user_existence_errors="ENABLED",
            enable_token_revocation=True,
            access_token_validity=60,
            token_validity_units={"access_token": "minutes"},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[server]),
        )

    def _token_url(self, name: str, pool: aws.cognito.UserPool, protected: bool) -> pulumi.Output[str]:
        domain = aws.cognito.UserPoolDomain(
            f"{name}-domain",
            user_pool_id=pool.id,
            domain=pool.id.apply(_domain_prefix),
            opts=pulumi.ResourceOptions(parent=self, protect=protected, retain_on_delete=protected),
        )
        region = aws.get_region_output(opts=pulumi.InvokeOutputOptions(parent=self)).region
        return pulumi.Output.concat("https://", domain.domain, ".auth.", region, ".amazoncognito.com/oauth2/token")


def _domain_prefix(pool_id: str) -> str:
    """Derive a prefix from the pool's id, which no other pool of the region has.

    As a digest it holds none of the words that Cognito reserves (aws, amazon, cognito).
    """
    return f"market-{sha256(pool_id.encode()).hexdigest()[:24]}"

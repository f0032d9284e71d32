"""Amazon Cognito user pools, their clients, scopes and domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.deployer.resources.protocol import Created, Existing, Naming, ResourceType, tag_change, without
from local.deployer.shapes import request

if TYPE_CHECKING:
    from local.deployer.aws import Aws
    from local.deployer.state import Properties

_POOL_NAMES = {"name": "PoolName", "schemas": "Schema"}
_MFA = frozenset({"mfaConfiguration", "softwareTokenMfaConfiguration"})
_FIXED_AT_CREATION = ("aliasAttributes", "usernameAttributes", "usernameConfiguration", "schemas")


class UserPool(ResourceType):
    token = "aws:cognito/userPool:UserPool"
    mapped = frozenset(
        {
            "accountRecoverySetting",
            "adminCreateUserConfig",
            "aliasAttributes",
            "autoVerifiedAttributes",
            "deletionProtection",
            "deviceConfiguration",
            "lambdaConfig",
            "mfaConfiguration",
            "name",
            "passwordPolicy",
            "schemas",
            "signInPolicy",
            "softwareTokenMfaConfiguration",
            "tags",
            "userAttributeUpdateSettings",
            "userPoolAddOns",
            "userPoolTier",
            "usernameAttributes",
            "usernameConfiguration",
            "verificationMessageTemplate",
        }
    )
    replace_on = frozenset({"aliasAttributes", "usernameAttributes", "usernameConfiguration", "schemas"})
    naming = Naming(max_length=128, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("cognito-idp", "CreateUserPool", _pool(inputs), _POOL_NAMES)
        pool = aws.cognito.create_user_pool(**parameters, UserPoolTags=inputs["tagsAll"])["UserPool"]
        identifier = pool.get("Id", "")
        try:
            self._set_mfa(aws, identifier, inputs)
        except BaseException:
            # The state file would not know the pool: its id is known here only.
            aws.cognito.delete_user_pool(UserPoolId=identifier)
            raise
        return Created(identifier, self._outputs(aws, identifier, inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        if changed - {"tagsAll"}:
            mutable = {key: value for key, value in _pool(inputs).items() if key not in _FIXED_AT_CREATION}
            aws.cognito.update_user_pool(
                **request("cognito-idp", "UpdateUserPool", {"userPoolId": existing.id, **mutable}, _POOL_NAMES),
                UserPoolTags=inputs["tagsAll"],
            )
        if changed & _MFA:
            self._set_mfa(aws, existing.id, inputs)
        arn = str(existing.outputs["arn"])
        tags = tag_change(existing, inputs)
        if tags.removed:
            aws.cognito.untag_resource(ResourceArn=arn, TagKeys=tags.removed)
        if tags.added:
            aws.cognito.tag_resource(ResourceArn=arn, Tags=tags.added)
        return self._outputs(aws, existing.id, inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.cognito.delete_user_pool(UserPoolId=existing.id)

    def unlock(self, aws: Aws, existing: Existing) -> None:
        if existing.inputs.get("deletionProtection") == "ACTIVE":
            aws.cognito.update_user_pool(UserPoolId=existing.id, DeletionProtection="INACTIVE")

    def listing(self, aws: Aws) -> set[str]:
        pages = aws.cognito.get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
        return {pool.get("Id", "") for page in pages for pool in page["UserPools"]}

    def _set_mfa(self, aws: Aws, identifier: str, inputs: Properties) -> None:
        """Multi-factor sign-in has a call of its own: the pool must exist before software tokens can be allowed."""
        mfa = {key: inputs[key] for key in _MFA if key in inputs}
        if mfa:
            parameters = request("cognito-idp", "SetUserPoolMfaConfig", {"userPoolId": identifier, **mfa})
            aws.cognito.set_user_pool_mfa_config(**parameters)

    def _outputs(self, aws: Aws, identifier: str, inputs: Properties) -> Properties:
        return {
            "arn": aws.arn("cognito-idp", f"userpool/{identifier}"),
            "endpoint": f"cognito-idp.{aws.region}.amazonaws.com/{identifier}",
            "name": inputs["name"],
        }


def _pool(inputs: Properties) -> Properties:
    pool = without(inputs, "passwordPolicy", "signInPolicy", *_MFA)
    policies: dict[str, Any] = {key: inputs[key] for key in ("passwordPolicy", "signInPolicy") if key in inputs}
    return {**pool, "policies": policies} if policies else pool


class UserPoolClient(ResourceType):
    token = "aws:cognito/userPoolClient:UserPoolClient"
    mapped = frozenset(
        {
            "accessTokenValidity",
            "allowedOauthFlows",
            "allowedOauthFlowsUserPoolClient",
            "allowedOauthScopes",
            "authSessionValidity",
            "callbackUrls",
            "defaultRedirectUri",
            "enablePropagateAdditionalUserContextData",
            "enableTokenRevocation",
            "explicitAuthFlows",
            "generateSecret",
            "idTokenValidity",
            "logoutUrls",
            "name",
            "preventUserExistenceErrors",
            "readAttributes",
            "refreshTokenRotation",
            "refreshTokenValidity",
            "supportedIdentityProviders",
            "tokenValidityUnits",
            "userPoolId",
            "writeAttributes",
        }
    )
    replace_on = frozenset({"userPoolId", "generateSecret"})
    naming = Naming(max_length=128, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        parameters = request("cognito-idp", "CreateUserPoolClient", without(inputs), {"name": "ClientName"})
        client = aws.cognito.create_user_pool_client(**parameters)["UserPoolClient"]
        return Created(
            client.get("ClientId", ""), {"clientSecret": client.get("ClientSecret", ""), "name": inputs["name"]}
        )

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        parameters = {"clientId": existing.id, **without(inputs, "generateSecret")}
        aws.cognito.update_user_pool_client(
            **request("cognito-idp", "UpdateUserPoolClient", parameters, {"name": "ClientName"})
        )
        return {"clientSecret": existing.outputs.get("clientSecret", ""), "name": inputs["name"]}

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.cognito.delete_user_pool_client(UserPoolId=existing.inputs["userPoolId"], ClientId=existing.id)


class ResourceServer(ResourceType):
    token = "aws:cognito/resourceServer:ResourceServer"
    mapped = frozenset({"identifier", "name", "scopes", "userPoolId"})
    replace_on = frozenset({"identifier", "userPoolId"})
    naming = Naming(max_length=256, is_id=False)

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.cognito.create_resource_server(**request("cognito-idp", "CreateResourceServer", without(inputs)))
        return Created(f"{inputs['userPoolId']}|{inputs['identifier']}", _scope_identifiers(inputs))

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        aws.cognito.update_resource_server(**request("cognito-idp", "UpdateResourceServer", without(inputs)))
        return _scope_identifiers(inputs)

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.cognito.delete_resource_server(
            UserPoolId=existing.inputs["userPoolId"], Identifier=existing.inputs["identifier"]
        )


def _scope_identifiers(inputs: Properties) -> Properties:
    scopes = [f"{inputs['identifier']}/{scope['scopeName']}" for scope in inputs.get("scopes", [])]
    return {"name": inputs["name"], "scopeIdentifiers": scopes}


class UserPoolDomain(ResourceType):
    token = "aws:cognito/userPoolDomain:UserPoolDomain"
    mapped = frozenset({"domain", "managedLoginVersion", "userPoolId"})
    replace_on = frozenset({"domain", "userPoolId"})
    delete_before_replace = True  # a pool has one such domain

    def create(self, aws: Aws, inputs: Properties) -> Created:
        aws.cognito.create_user_pool_domain(**request("cognito-idp", "CreateUserPoolDomain", without(inputs)))
        return Created(str(inputs["domain"]), {"awsAccountId": aws.account_id})

    def update(self, aws: Aws, existing: Existing, inputs: Properties, changed: frozenset[str]) -> Properties:
        aws.cognito.update_user_pool_domain(**request("cognito-idp", "UpdateUserPoolDomain", without(inputs)))
        return existing.outputs

    def delete(self, aws: Aws, existing: Existing) -> None:
        aws.cognito.delete_user_pool_domain(UserPoolId=existing.inputs["userPoolId"], Domain=existing.id)


TYPES = (UserPool(), UserPoolClient(), ResourceServer(), UserPoolDomain())

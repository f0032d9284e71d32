"""The Event APIs of a deployment, as far as they decide who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

API_TYPE = "aws:appsync/api:Api"
NAMESPACE_TYPE = "aws:appsync/channelNamespace:ChannelNamespace"


class AuthMode(StrEnum):
    """Ways of proving who one is, of those that exist locally."""

    COGNITO = "AMAZON_COGNITO_USER_POOLS"
    OIDC = "OPENID_CONNECT"
    IAM = "AWS_IAM"


TOKEN_MODES = frozenset({AuthMode.COGNITO, AuthMode.OIDC})


class UnusableApi(Exception):  # noqa: N818 - a statement of what is the case
    """An Event API asks for what does not exist locally. One line."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens an API accepts.

    Attributes
    ----------
    mode
        `AuthMode.COGNITO` or `AuthMode.OIDC`.
    url
        The `iss` of its tokens.
    client_ids
        Regular expression that the token's client or audience must match as a whole; None: any.
    """

    mode: AuthMode
    url: str
    client_ids: str | None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A channel namespace: who may subscribe and publish, and its handlers' code, if it has some."""

    name: str
    subscribe_modes: frozenset[AuthMode]
    publish_modes: frozenset[AuthMode]
    code: str | None


@dataclass(frozen=True, slots=True)
class EventApi:
    """An Event API. `http_host` is the host that clients name in their authorization and publishers call."""

    api_id: str
    http_host: str
    issuers: tuple[Issuer, ...]
    connection_modes: frozenset[AuthMode]
    namespaces: Mapping[str, Namespace]


def load_apis(resources: Iterable[Mapping[str, Any]]) -> dict[str, EventApi]:
    """Find the Event APIs among a deployment's resources.

    Parameters
    ----------
    resources
        As they are in the state file, with `type`, `inputs` and `outputs`.

    Returns
    -------
    dict[str, EventApi]
        By `http_host`.

    Raises
    ------
    UnusableApi
        An API wants API keys or an authorizer function.
    """
    listed = list(resources)
    found: dict[str, EventApi] = {}
    for resource in listed:
        if resource["type"] != API_TYPE:
            continue
        config = resource["inputs"]["eventConfig"]
        api_id = str(resource["outputs"]["apiId"])
        defaults = {kind: _modes(config[f"default{kind}AuthModes"]) for kind in ("Publish", "Subscribe")}
        namespaces = [
            _namespace(other["inputs"], defaults)
            for other in listed
            if other["type"] == NAMESPACE_TYPE and other["inputs"]["apiId"] == api_id
        ]
        host = str(resource["outputs"]["dns"]["HTTP"]).lower()
        found[host] = EventApi(
            api_id=api_id,
            http_host=host,
            issuers=tuple(_issuer(provider) for provider in config["authProviders"] if _is_issuer(provider)),
            connection_modes=_modes(config["connectionAuthModes"]),
            namespaces={namespace.name: namespace for namespace in namespaces},
        )
    return found


def _namespace(inputs: Mapping[str, Any], defaults: Mapping[str, frozenset[AuthMode]]) -> Namespace:
    return Namespace(
        name=str(inputs["name"]),
        subscribe_modes=_modes(inputs.get("subscribeAuthModes") or []) or defaults["Subscribe"],
        publish_modes=_modes(inputs.get("publishAuthModes") or []) or defaults["Publish"],
        code=inputs.get("codeHandlers"),
    )


def _is_issuer(provider: Mapping[str, Any]) -> bool:
    return _mode(provider["authType"]) in TOKEN_MODES


def _issuer(provider: Mapping[str, Any]) -> Issuer:
    if "cognitoConfig" in provider:
        pool = provider["cognitoConfig"]
        url = f"https://cognito-idp.{pool['awsRegion']}.amazonaws.com/{pool['userPoolId']}"
        return Issuer(AuthMode.COGNITO, url, pool.get("appIdClientRegex"))
    connect = provider["openidConnectConfig"]
    return Issuer(AuthMode.OIDC, str(connect["issuer"]), connect.get("clientId"))


def _modes(modes: Iterable[Mapping[str, Any]]) -> frozenset[AuthMode]:
    return frozenset(_mode(mode["authType"]) for mode in modes)


def _mode(text: str) -> AuthMode:
    if text not in set(AuthMode):
        raise UnusableApi(f"Event APIs with authorization type {text} do not exist locally")
    return AuthMode(text)

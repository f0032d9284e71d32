"""Access tokens of the game's own service, which may do what no player may: fill accounts, and look into everything."""

from __future__ import annotations

import base64
import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

from cli.environments import LOCAL
from cli.failures import EnvironmentUnavailableError

if TYPE_CHECKING:
    from types_boto3_cognito_idp import CognitoIdentityProviderClient

    from cli.environments import Environment

_REQUEST_LIMIT_S = 15


def service_token(environment: Environment) -> str:
    """Exchange the service client's credentials for a token with all of its scopes (OAuth 2.0, RFC 6749 §4.4).

    Parameters
    ----------
    environment
        With a player pool of its own. Whoever asks needs the right to describe the pool's clients: the secret is read
        from there and kept nowhere.

    Returns
    -------
    str
        The access token (a JWT).

    Raises
    ------
    EnvironmentUnavailableError
        The environment trusts an external issuer, or the token endpoint does not answer with a token.
    botocore.exceptions.ClientError
        The right is missing.
    """
    if environment.outputs.get("service_client_id") is None:
        issuer = environment.outputs.get("jwt_issuer")
        raise EnvironmentUnavailableError(
            f"environment {environment.name} has no service client: its tokens come from {issuer}"
        )
    client_id = str(environment.output("service_client_id"))
    cognito = cast("CognitoIdentityProviderClient", environment.client("cognito-idp"))
    described = cognito.describe_user_pool_client(
        UserPoolId=str(environment.output("player_pool_id")), ClientId=client_id
    )
    secret = described["UserPoolClient"].get("ClientSecret", "")
    # The emulator answers for every domain under its own address.
    local = environment.name == LOCAL
    url = f"{cognito.meta.endpoint_url}/oauth2/token" if local else str(environment.output("token_url"))
    return _exchange(url, client_id, secret)


def _exchange(url: str, client_id: str, secret: str) -> str:
    address = urlsplit(url)
    connect = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = connect(address.hostname or "", address.port, timeout=_REQUEST_LIMIT_S)
    credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", address.path, urlencode({"grant_type": "client_credentials"}), headers)
        response = connection.getresponse()
        text = response.read()
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise EnvironmentUnavailableError(f"no answer from {url}: {reason}") from error
    finally:
        connection.close()
    try:
        return str(json.loads(text)["access_token"])
    except (ValueError, KeyError, TypeError) as error:
        raise EnvironmentUnavailableError(f"{url} answered {response.status} and no token") from error

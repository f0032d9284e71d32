"""Players' access tokens, minted by the operator's right to administer the player pool.

Only environments with `adminSignIn` allow it. The password is random, used once and kept nowhere; a player's id is the
token's `sub`.
"""

from __future__ import annotations

import secrets
import string
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from cli.failures import EnvironmentUnavailableError

if TYPE_CHECKING:
    from types_boto3_cognito_idp import CognitoIdentityProviderClient

    from cli.environments import Environment

_PASSWORD_LETTERS = string.ascii_letters + string.digits


class PlayerPool:
    """An environment's player pool, seen by its operator. May be shared between threads.

    Parameters
    ----------
    environment
        With a player pool of its own and `adminSignIn` on.

    Raises
    ------
    EnvironmentUnavailableError
        The environment trusts an external issuer, whose tokens cannot be minted here.
    """

    def __init__(self, environment: Environment) -> None:
        if environment.outputs.get("player_pool_id") is None:
            issuer = environment.outputs.get("jwt_issuer")
            raise EnvironmentUnavailableError(
                f"environment {environment.name} has no player pool: its tokens come from {issuer}"
            )
        self._pool_id = str(environment.output("player_pool_id"))
        self._client_id = str(environment.output("player_pool_client_id"))
        self._cognito = cast("CognitoIdentityProviderClient", environment.client("cognito-idp"))
        # A client makes its exception classes at their first use; two threads at once would get different ones.
        self._exists = self._cognito.exceptions.UsernameExistsException

    def mint_token(self, player: str) -> str:
        """Sign a player in, creating them if they are new.

        Parameters
        ----------
        player
            User name in the pool.

        Returns
        -------
        str
            The access token (a JWT).

        Raises
        ------
        EnvironmentUnavailableError
            The pool wants more than a password.
        botocore.exceptions.ClientError
            The pool refused, for example because `adminSignIn` is off.
        """
        # Cognito wants one character of each class; the rest carries 190 bits.
        password = "aA1-" + "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(32))
        self._create(player)
        self._cognito.admin_set_user_password(
            UserPoolId=self._pool_id, Username=player, Password=password, Permanent=True
        )
        signed_in = self._cognito.admin_initiate_auth(
            UserPoolId=self._pool_id,
            ClientId=self._client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": player, "PASSWORD": password},
        )
        token = signed_in.get("AuthenticationResult", {}).get("AccessToken")
        if token is None:
            challenge = signed_in.get("ChallengeName", "no token")
            raise EnvironmentUnavailableError(f"the player pool answered {challenge} to the sign-in of {player}")
        return token

    def player_id(self, player: str) -> str:
        """Return the id that a player's tokens have as their subject, creating the player if they are new.

        Parameters
        ----------
        player
            User name in the pool.

        Raises
        ------
        botocore.exceptions.ClientError
            The pool refused.
        """
        self._create(player)
        user = self._cognito.admin_get_user(UserPoolId=self._pool_id, Username=player)
        attributes = {attribute["Name"]: attribute.get("Value", "") for attribute in user.get("UserAttributes", [])}
        return attributes["sub"]

    def _create(self, player: str) -> None:
        with suppress(self._exists):
            self._cognito.admin_create_user(UserPoolId=self._pool_id, Username=player, MessageAction="SUPPRESS")

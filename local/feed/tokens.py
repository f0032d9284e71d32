"""Verification of players' tokens: RS256 signatures by an issuer's published keys, its name, and the times."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import time
import urllib.request
from typing import TYPE_CHECKING, Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.feed.apis import AuthMode
from local.feed.json_objects import decode_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.feed.apis import Issuer

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_FETCH_LIMIT_S = 10.0
_KEYS_AGE_S = 5.0


class TokenRefused(Exception):  # noqa: N818 - a statement of what is the case
    """A token proves nothing."""


class TokenVerifier:
    """Keeps issuers' keys. For one event loop.

    Parameters
    ----------
    emulator_url
        URL of the emulator, which has the keys of its Cognito pools.
    now_s
        Clock, epoch seconds.
    """

    def __init__(self, emulator_url: str, *, now_s: Callable[[], float] = time.time) -> None:
        self._emulator_url = emulator_url
        self._now_s = now_s
        self._keys: dict[str, dict[str, rsa.RSAPublicKey]] = {}
        self._fetched_at_s: dict[str, float] = {}

    async def verify(self, token: str, issuers: Iterable[Issuer]) -> tuple[Issuer, dict[str, Any]]:
        """Verify a token.

        Parameters
        ----------
        token
            With or without `Bearer`.
        issuers
            Those that are accepted.

        Returns
        -------
        tuple[Issuer, dict[str, Any]]
            Who issued it, and its claims.

        Raises
        ------
        TokenRefused
            It is malformed, forged, of another issuer or client, expired, or not valid yet.
        """
        if token[:7].lower() == "bearer ":
            token = token[7:]
        signed, _, signature = token.rpartition(".")
        header, claims = _decoded(signed)
        issuer = next((each for each in issuers if each.url == claims.get("iss")), None)
        if issuer is None:
            raise TokenRefused("the token is of another issuer")
        if header.get("alg") != "RS256":
            raise TokenRefused("the token is not signed with RS256")
        key = await self._key(issuer, str(header.get("kid")))
        try:
            key.verify(_bytes(signature), signed.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise TokenRefused("the token's signature is wrong") from None
        self._check(claims, issuer)
        return issuer, claims

    def _check(self, claims: dict[str, Any], issuer: Issuer) -> None:
        now_s = self._now_s()
        times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
        if any(value is not None and not isinstance(value, (int, float)) for value in times.values()):
            raise TokenRefused("the token's times are no numbers")
        if times["exp"] is None or times["exp"] <= now_s:
            raise TokenRefused("the token has expired")
        if any((times[name] or 0) > now_s for name in ("nbf", "iat")):
            raise TokenRefused("the token is not valid yet")
        if issuer.client_ids is not None and not any(map(re.compile(issuer.client_ids).fullmatch, _clients(claims))):
            raise TokenRefused("the token is of another client")
        if not isinstance(claims.get("sub"), str):
            raise TokenRefused("the token has no subject")

    async def _key(self, issuer: Issuer, key_id: str) -> rsa.RSAPublicKey:
        age_s = self._now_s() - self._fetched_at_s.get(issuer.url, 0)
        if key_id not in self._keys.get(issuer.url, {}) and age_s > _KEYS_AGE_S:
            try:
                self._keys[issuer.url] = await asyncio.to_thread(self._fetch, issuer)
            except (OSError, ValueError, KeyError) as error:
                raise TokenRefused(f"the issuer's keys cannot be had: {error}") from error
            self._fetched_at_s[issuer.url] = self._now_s()
        if (key := self._keys.get(issuer.url, {}).get(key_id)) is None:
            raise TokenRefused("the issuer has no such key")
        return key

    def _fetch(self, issuer: Issuer) -> dict[str, rsa.RSAPublicKey]:
        if issuer.mode is AuthMode.COGNITO:
            address = f"{self._emulator_url}/{issuer.url.rpartition('/')[2]}/.well-known/jwks.json"
        else:
            address = str(_read_json(f"{issuer.url.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"])
        return {
            str(key["kid"]): rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
            for key in _read_json(address)["keys"]
            if key.get("kty") == "RSA"
        }


def _clients(claims: dict[str, Any]) -> list[str]:
    audience: Any = claims.get("aud")
    audiences = cast("list[Any]", audience) if isinstance(audience, list) else [audience]
    return [str(client) for client in (*audiences, claims.get("azp"), claims.get("client_id")) if client is not None]


def _read_json(address: str) -> Any:
    with _DIRECT.open(address, timeout=_FETCH_LIMIT_S) as response:
        return json.load(response)


def _decoded(signed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    objects = [decode_object(_bytes(part)) for part in signed.split(".")]
    if len(objects) != 2 or objects[0] is None or objects[1] is None:
        raise TokenRefused("it is no token")
    return objects[0], objects[1]


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenRefused("it is no token") from None


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")

"""boto3 clients of the emulator that nothing on this machine can divert: no profile, no shared config, no proxy."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def emulator_client(
    service_name: str, endpoint_url: str, account_id: str, region: str, config: Config | None = None
) -> Any:
    """Make a client.

    Parameters
    ----------
    service_name
        boto3's name of the service, for example `"dynamodb"`.
    endpoint_url
        URL of the emulator.
    account_id
        Twelve digits; as the access key they select the account.
    region
        AWS region.
    config
        Further settings.
    """
    direct = Config(proxies={})
    # The stubs know the services they are installed for; of the others pyright sees an unknown overload.
    make_client = cast("Callable[..., Any]", _session().client)  # pyright: ignore[reportUnknownMemberType]
    return make_client(
        service_name,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=account_id,
        aws_secret_access_key="local",
        config=direct if config is None else config.merge(direct),
    )


def isolate(environ: MutableMapping[str, str]) -> None:
    """Take out of a process environment what would divert AWS clients made elsewhere: AWS settings, and proxies.

    Parameters
    ----------
    environ
        Changed in place; `os.environ` for this process and its children.
    """
    for name in list(environ):
        if name.startswith("AWS_") or name.lower() in _PROXIES:
            del environ[name]
    environ["AWS_CONFIG_FILE"] = environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    environ["AWS_EC2_METADATA_DISABLED"] = "true"


@cache
def service_model(service_name: str) -> Any:
    """botocore's model of a service, read from disk once for this and for its clients."""
    return _botocore_session().get_service_model(service_name)


@cache
def _session() -> boto3.session.Session:
    return boto3.session.Session(botocore_session=_botocore_session())


@cache
def _botocore_session() -> Any:
    nowhere = (None, None, os.devnull, None)
    variables: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": nowhere,
        "credentials_file": nowhere,
    }
    return cast("Any", botocore.session.Session)(session_vars=variables)

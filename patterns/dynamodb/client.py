"""A DynamoDB client that costs as little as possible in a cold start.

botocore is used without boto3: the resource layer, its session and its data files are never needed for the low-level
client and cost about a tenth of the start. Session and client are made once a process and shared: a botocore client is
thread safe, and its connection pool is what makes the second request of a warm function fast.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session, get_session

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LEAN_CONFIG = Config(
    connect_timeout=1,  # seconds; the endpoint is in the function's own region
    read_timeout=3,  # seconds; thirty times the p99 of a 25-item transaction
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    parameter_validation=False,  # the service's own is enough, and this one is a third of a transaction's CPU here
    account_id_endpoint_mode="disabled",  # a function's credentials name no account: looking for one finds nothing
)
"""Fail fast and try again, instead of botocore's 60 s timeouts, which outlive an HTTP API's 30 s."""


class LeanLoader(Loader):
    """Finds service models without opening the folders of all four hundred services to learn which there are.

    botocore asks for the list only to say that a service is unknown; here a folder's name is enough, which saves about
    a tenth of creating a client.
    """

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the names of all services, whichever types of data they have."""
        folders = [Path(folder) for folder in self.search_paths]
        return sorted({entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()})


@cache
def shared_session() -> Session:
    """Return the process's one botocore session, so that each further client reuses its loaded data and credentials."""
    session = get_session()
    session.register_component("data_loader", LeanLoader())
    return session


@cache
def dynamodb_client() -> DynamoDBClient:
    """Return the process's one DynamoDB client.

    Region, credentials and endpoint come from the environment (`AWS_REGION` or `AWS_DEFAULT_REGION`,
    `AWS_ENDPOINT_URL`), as Lambda sets them.

    Returns
    -------
    DynamoDBClient
        The low-level client; items go through `patterns.dynamodb.items`.

    Raises
    ------
    botocore.exceptions.NoRegionError
        No region in the environment.
    """
    # botocore itself is untyped; the client it builds is the one types_boto3 describes.
    return cast("DynamoDBClient", shared_session().create_client("dynamodb", config=LEAN_CONFIG))  # pyright: ignore[reportUnknownMemberType]

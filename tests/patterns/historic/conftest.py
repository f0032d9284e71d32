"""A history in one tier, and in two before, during and after the time that DynamoDB lets its versions go."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import boto3
import pytest

from local.clients import emulator_client
from local.emulator import ACCOUNT_ID
from patterns.historic import Archive
from tests.patterns.conftest import REGION
from tests.patterns.historic.world import TieredStore, unused_bucket_name

if TYPE_CHECKING:
    from patterns.historic.archive import ObjectStore
    from tests.patterns.historic.world import Tier
    from tests.patterns.stores import Store


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> Tier:
    """Unless a test asks for others, all versions stay in the table."""
    return getattr(request, "param", "table")


@pytest.fixture
def store(store: Store, tier: Tier) -> Store:
    if tier == "table":
        return store
    return TieredStore(store.name, store.client, archive_on(store), tier)


def archive_on(store: Store) -> Archive:
    """A new bucket beside the store's tables."""
    if store.name == "emulator":
        client = emulator_client("s3", store.client.meta.endpoint_url, ACCOUNT_ID, REGION)
    else:
        client = boto3.client("s3", region_name=REGION, aws_access_key_id=ACCOUNT_ID, aws_secret_access_key="moto")  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]  # no stubs of S3
    bucket = unused_bucket_name()
    client.create_bucket(Bucket=bucket)  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    return Archive(cast("ObjectStore", client), bucket)

"""An in-memory DynamoDB for all tests here; each test, or each case of one, makes its tables anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

import botocore.session
import pytest
from moto import mock_aws

from tests.settlement.variables import VARIABLES
from tests.settlement.world import empty_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient


# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)


@pytest.fixture(scope="package")
def dynamodb() -> Iterator[DynamoDBClient]:
    with mock_aws():
        session = botocore.session.get_session()
        session.set_credentials("test", "test")  # pyright: ignore[reportUnknownMemberType]
        yield cast("DynamoDBClient", session.create_client("dynamodb", region_name="eu-central-1"))  # pyright: ignore[reportUnknownMemberType]


@pytest.fixture
def store(dynamodb: DynamoDBClient) -> DynamoDBClient:
    return empty_tables(dynamodb)

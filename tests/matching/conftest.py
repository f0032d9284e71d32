from __future__ import annotations

from typing import TYPE_CHECKING, cast

import botocore.session
import pytest
from moto import mock_aws

from tests.matching.market_on_moto import KEYS, MarketOnMoto, create_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDBClient]:
    with mock_aws():
        session = botocore.session.get_session()
        session.set_credentials("test", "test")  # pyright: ignore[reportUnknownMemberType]
        client = cast("DynamoDBClient", session.create_client("dynamodb", region_name="eu-central-1"))  # pyright: ignore[reportUnknownMemberType]
        create_tables(client)
        yield client


@pytest.fixture
def open_market(dynamodb: DynamoDBClient) -> Callable[[], MarketOnMoto]:
    """Returns a function that opens a new, empty market: one test may need many."""

    def open_empty() -> MarketOnMoto:
        for table in KEYS:
            dynamodb.delete_table(TableName=table)
        create_tables(dynamodb)
        return MarketOnMoto(dynamodb)

    return open_empty


@pytest.fixture
def market(open_market: Callable[[], MarketOnMoto]) -> MarketOnMoto:
    return open_market()

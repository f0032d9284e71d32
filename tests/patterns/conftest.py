"""Every contract suite of the catalogue runs on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from local.clients import emulator_client
from local.emulator import ACCOUNT_ID, Emulator
from tests.patterns.stores import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient

REGION = "us-east-1"


@pytest.fixture(scope="session")
def emulator_dynamodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDBClient]:
    folder = tmp_path_factory.mktemp("emulator")
    emulator = Emulator(folder, folder / "emulator.log", region=REGION)
    emulator.start()
    try:
        yield emulator_client("dynamodb", emulator.endpoint_url, ACCOUNT_ID, REGION)
    finally:
        emulator.stop()


@pytest.fixture(params=["moto", "emulator"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "emulator":
        yield Store("emulator", request.getfixturevalue("emulator_dynamodb"))
        return
    with mock_aws():
        client = boto3.client(  # pyright: ignore[reportUnknownMemberType]  # the stubs know the services installed
            "dynamodb", region_name=REGION, aws_access_key_id=ACCOUNT_ID, aws_secret_access_key="moto"
        )
        yield Store("moto", client)

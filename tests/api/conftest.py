"""The HTTP functions over an in-memory DynamoDB."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.api.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)

from tests.api.front_door import FrontDoor, opened


@pytest.fixture
def market() -> Iterator[FrontDoor]:
    """Return the front door of an empty market."""
    with opened() as front_door:
        yield front_door

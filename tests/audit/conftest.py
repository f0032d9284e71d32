"""A market on an in-memory DynamoDB, audited through the operator's routes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.audit.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)

from tests.audit.market import AuditedMarket, opened


@pytest.fixture
def market() -> Iterator[AuditedMarket]:
    """Return an empty market."""
    with opened() as found:
        yield found

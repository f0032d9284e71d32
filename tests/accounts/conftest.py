"""Accounts over an in-memory DynamoDB."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.accounts.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

# The handler reads its environment and creates its client while it is imported, as in Lambda.
os.environ.update(VARIABLES)

from tests.accounts.bank import Bank, opened


@pytest.fixture
def bank() -> Iterator[Bank]:
    """Return the accounts API over empty tables."""
    with opened() as bank:
        yield bank

"""The functions whose calls are counted, and a market for the matcher."""

from __future__ import annotations

import os

from tests.api.variables import VARIABLES
from tests.matching.conftest import dynamodb, market, open_market

# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)

__all__ = ["dynamodb", "market", "open_market"]

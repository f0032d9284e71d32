"""All functions over one in-memory DynamoDB."""

from __future__ import annotations

import os

from tests.whole_market.variables import VARIABLES

# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)

"""All functions over one in-memory DynamoDB."""

from __future__ import annotations

import os

import moto.core

from tests.whole_market.variables import VARIABLES

assert moto.core  # its hooks are on clients made from here on, such as those of the functions
# The handlers read their environment and create their client while they are imported, as in Lambda.
os.environ.update(VARIABLES)

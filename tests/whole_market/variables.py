"""Environment variables of the functions under test."""

from __future__ import annotations

from tests.audit.variables import VARIABLES as AUDIT_VARIABLES
from tests.market_data.variables import VARIABLES as MARKET_DATA_VARIABLES

VARIABLES = MARKET_DATA_VARIABLES | AUDIT_VARIABLES

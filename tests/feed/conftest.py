from tests.matching.conftest import dynamodb, market, open_market

__all__ = ["dynamodb", "market", "open_market"]

from tests.cli.conftest import api, local_environment

__all__ = ["api", "local_environment"]

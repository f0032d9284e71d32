"""One adapter per order book: ours and the peers from PyPI, each run in its own process and environment."""

"""Who trades with whom: the order book, one batch against it, and the commits that come of it."""

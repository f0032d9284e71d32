"""Programs that measure the market against the naive way and against its peers, and print ratios."""

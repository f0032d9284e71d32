"""The live feed: which channels there are, what a message says, and how a client keeps a view from messages."""

"""Everything the market does, in any order, with trouble at every call."""

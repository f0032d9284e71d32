"""Market data: candles gathered from the tape, what they say of the last day, and a player's own trades."""

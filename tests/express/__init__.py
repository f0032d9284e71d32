"""Orders by two lanes at once: the fast one may lose, repeat and delay them, and nobody can tell from the outcome."""

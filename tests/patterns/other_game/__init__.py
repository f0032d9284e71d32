"""Tests of the other game: a second service built from the pattern catalogue."""

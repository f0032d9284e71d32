"""Lambda code of the dungeon guild."""

"""What players and the game's own service ask for, checked field by field before anything is touched."""

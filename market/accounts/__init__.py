"""What everybody owns: holds, settlements, deposits and withdrawals as double entry."""

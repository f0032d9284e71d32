"""Optimistic locking on moto and on the emulator."""

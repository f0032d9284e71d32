"""Tests of the local deployer, the emulator process and the environment's supervisor."""

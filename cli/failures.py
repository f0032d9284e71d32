"""Why a command fails: one clear line for the person, one exit code for the script around it."""

from __future__ import annotations


class CommandFailedError(Exception):
    """A command could not do what it was asked; its text is the line the person reads."""

    exit_code = 1


class UnusableCommandError(CommandFailedError):
    """The command does not make sense as it was typed."""

    exit_code = 2


class MarketRefusedError(CommandFailedError):
    """The market understood and said no."""


class UnsoundMarketError(CommandFailedError):
    """A trading day lost an order, did not come to rest, or left a broken invariant behind."""


class EnvironmentUnavailableError(CommandFailedError):
    """There is no such environment, or it does not answer."""

    exit_code = 3

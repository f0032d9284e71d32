"""How long the loser of a collision waits: at random, and the longer the more others want the same item."""

from __future__ import annotations

from dataclasses import dataclass

from patterns.optimistic_locking.errors import InvalidBackoffError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter, scaled to the contention that was seen.

    The version that comes with a conflict tells how many rivals got through since the update began. The wait is random
    between zero and `first_wait_ms` × conflicts so far × rivals' writes, at most `longest_wait_ms`: two writers that
    meet by accident wait half of `first_wait_ms` on average, sixteen on one item spread out after their first
    collision instead of doubling their way up to it. Full jitter:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Attributes
    ----------
    attempts
        Writes tried before the conflict is the caller's, at least 1.
    first_wait_ms
        Longest wait after a first collision with one rival; about ten times a write's round trip.
    longest_wait_ms
        Longest wait there is.

    Raises
    ------
    InvalidBackoffError
        `attempts` below 1, or a wait that is negative or above `longest_wait_ms`.
    """

    attempts: int = 12
    first_wait_ms: int = 100
    longest_wait_ms: int = 2000

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise InvalidBackoffError("attempts", self.attempts, "must be at least 1")
        if not 0 <= self.first_wait_ms <= self.longest_wait_ms:
            raise InvalidBackoffError(
                "first_wait_ms", self.first_wait_ms, f"must be 0 to longest_wait_ms = {self.longest_wait_ms}"
            )

    def wait_s(self, failures: int, rival_writes: int, jitter: float) -> float:
        """Return the wait after a failed attempt, in seconds.

        Parameters
        ----------
        failures
            Attempts that failed so far, at least 1.
        rival_writes
            Writes of others since the update began, as far as known.
        jitter
            A random number in [0, 1).
        """
        return jitter * min(self.longest_wait_ms, self.first_wait_ms * failures * max(1, rival_writes)) / 1000

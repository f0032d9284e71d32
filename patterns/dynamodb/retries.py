"""Bounded retries with full jitter, of calls that do no harm when they are made twice.

botocore retries single calls by itself. What is left to us are the collisions of transactions and what outlasts
botocore's attempts: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from __future__ import annotations

from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import ClientError

from patterns.dynamodb.transient import LOST_ANSWERS, is_transient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JITTER: Final = SystemRandom().random
"""Uniform in [0, 1). Lambda instances that start from one snapshot would share the sequence of `random.random`."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and how long between.

    Parameters
    ----------
    sleep
        Sleeps for so many seconds.
    random
        Returns a number in [0, 1); full jitter, so that those who collided do not collide again:
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    attempts
        Attempts in all, at least 1.
    first_wait_ms, longest_wait_ms
        Upper bounds of the first wait and, after doubling each time, of every wait; at least 1.

    Raises
    ------
    ValueError
        A number below 1; the text names it.
    """

    sleep: Callable[[float], object]
    random: Callable[[], float]
    attempts: int = 8
    first_wait_ms: int = 20
    longest_wait_ms: int = 1_000

    def __post_init__(self) -> None:
        for name in ("attempts", "first_wait_ms", "longest_wait_ms"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}: must be at least 1")

    def wait_s(self, failures: int) -> float:
        """Return how long to wait after so many failures in a row, at least 1, in seconds."""
        bound_ms = min(self.first_wait_ms << min(failures - 1, 30), self.longest_wait_ms)
        return bound_ms * self.random() / 1000

    def wait(self, failures: int) -> None:
        """Wait as long."""
        self.sleep(self.wait_s(failures))

    def __iter__(self) -> Iterator[int]:
        """Yield the numbers of the attempts from 1, with the waits between them."""
        for attempt in range(1, self.attempts + 1):
            yield attempt
            if attempt < self.attempts:
                self.wait(attempt)

    def call(self, idempotent: Callable[[], _Result]) -> _Result:
        """Make a call until it is decided.

        Raises
        ------
        botocore.exceptions.ClientError
            An answer that another attempt would not change, such as a failed condition; or the last trouble.
        botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError
            The last answer was lost, too.
        """
        for attempt in self:
            try:
                return idempotent()
            except (ClientError, *LOST_ANSWERS) as error:
                if attempt == self.attempts or not is_transient(error):
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

"""Order ids: UUIDs of version 7, whose text sorts by the time of placing.

Layout and the monotonic increment ("method 2") are RFC 9562 §5.7 and §6.2. Price-time priority rests on this order: the
id is the tail of a book's range key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER_ID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""An order id in its one canonical spelling. Match it against the whole text."""

_RANDOM_BITS = 74  # 12 of rand_a and 62 of rand_b
_LOW_BITS = 62


class OrderIdGenerator:
    """Makes order ids, each greater than the one before.

    One generator a process; not for use by several threads at once. Between processes, ids are ordered by the clocks'
    milliseconds.

    Parameters
    ----------
    clock
        Returns epoch milliseconds. It may stand still or step back: ids then go on from the last one.
    entropy
        Returns as many random bytes as asked for, e.g. `os.urandom`.
    """

    def __init__(self, clock: Callable[[], int], entropy: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._entropy = entropy
        self._time_ms = -1
        self._random = 0

    def next_id(self) -> str:
        """Return the next id as 36 lower-case characters."""
        now_ms = self._clock()
        if now_ms > self._time_ms:
            self._time_ms = now_ms
            self._random = self._random_bits(_RANDOM_BITS)
        else:
            # A random step keeps the next id unguessable within the millisecond.
            self._random += 1 + self._random_bits(32)
            if self._random >> _RANDOM_BITS:
                self._time_ms += 1
                self._random = self._random_bits(_RANDOM_BITS)
        rand_a = self._random >> _LOW_BITS
        rand_b = self._random & ((1 << _LOW_BITS) - 1)
        number = self._time_ms << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
        digits = f"{number:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _random_bits(self, bits: int) -> int:
        size = (bits + 7) // 8
        return int.from_bytes(self._entropy(size), "big") >> (size * 8 - bits)

"""What a warm matcher knows of a tape without asking."""

from __future__ import annotations

from typing import NamedTuple


class KnownHead(NamedTuple):
    """A tape's head as it was when this process was last at work on the material: a guess that saves a read.

    The tape refuses a commit under a wrong one, which costs a failed transaction. So it is trusted as long as nobody
    else commits: if it `held` the time before.
    """

    sequence: int
    held: bool

"""The tape: what each matcher commit traded, and of each order what became of its hold and whether it closed.

It is whatever accounts need to know of trading; `market.tape.encoding` says how a commit is laid out as one item.
Reading it back is loaded when it is first used: the matcher only writes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from market.tape.encoding import PlainValue, encode_commit
from market.tape.rows import Closing, TapeCommit, TapeOrder, TradeFill, trade_id

if TYPE_CHECKING:
    from market.tape.decoding import decode_commit

__all__ = [
    "Closing",
    "PlainValue",
    "TapeCommit",
    "TapeOrder",
    "TradeFill",
    "decode_commit",
    "encode_commit",
    "trade_id",
]


def __getattr__(name: str) -> object:
    if name != "decode_commit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("market.tape.decoding").decode_commit

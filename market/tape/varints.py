"""Small numbers in few bytes.

Varints are unsigned LEB128: seven bits a byte, lowest first, the high bit set on all but the last (DWARF 5, §7.6).
Zigzag makes signed numbers unsigned, small ones staying small (Protocol Buffers, Encoding, "Signed integers").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_VARINT = 91  # bits; no number on a tape has more: a price of 40 times a quantity of 40, and some flags


def zigzag(number: int) -> int:
    """Return 0, 1, 2, 3, 4 … for 0, -1, 1, -2, 2 …"""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """Return the number of which `zigzag` made this one."""
    return -(number + 1 >> 1) if number & 1 else number >> 1


def encode_varints(numbers: Iterable[int]) -> bytes:
    """Return numbers of at least 0 as varints laid end to end.

    Raises
    ------
    ValueError
        A number is negative.
    """
    buffer = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            buffer.append(rest & 0x7F | 0x80)
            rest >>= 7
        if rest < 0:
            raise ValueError(f"{number} is negative: a varint has no sign")
        buffer.append(rest)
    return bytes(buffer)


def decode_varints(buffer: bytes) -> Iterator[int]:
    """Yield the numbers of varints laid end to end.

    Raises
    ------
    ValueError
        The last one is cut off, or one is longer than any number on a tape.
    """
    number = shift = 0
    for byte in buffer:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > _LONGEST_VARINT:
                raise ValueError("a varint is longer than any number on the tape")
        else:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("the last varint is cut off")

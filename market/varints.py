"""Small numbers in few bytes.

Varints are unsigned LEB128: seven bits a byte, lowest first, the high bit set on all but the last (DWARF 5, §7.6).
Zigzag makes signed numbers unsigned, small ones staying small (Protocol Buffers, Encoding, "Signed integers").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_VARINT = 91  # bits; no number on a tape has more: a price of 40 times a quantity of 40, and some flags
_ONE_BYTE = [bytes([number]) for number in range(0x80)]


def zigzag(number: int) -> int:
    """Return 0, 1, 2, 3, 4 … for 0, -1, 1, -2, 2 …"""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """Return the number of which `zigzag` made this one."""
    return -(number + 1 >> 1) if number & 1 else number >> 1


def varint(number: int) -> bytes:
    """Return a number of at least 0 as a varint.

    Raises
    ------
    ValueError
        The number is negative.
    """
    if 0 <= number < 0x80:
        return _ONE_BYTE[number]
    if number < 0:
        raise ValueError(f"{number} is negative: a varint has no sign")
    buffer = bytearray()
    while number > 0x7F:
        buffer.append(number & 0x7F | 0x80)
        number >>= 7
    buffer.append(number)
    return bytes(buffer)


def varints(buffer: bytes) -> Iterator[int]:
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

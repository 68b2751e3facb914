"""A walk over a pickle's opcodes before anything is built: is it whole, and how much memory will it take?"""

import pickletools
import re

MAX_GROWTH = 4
"""How many times its size a pickle may take in memory, by the objects that its opcodes ask for."""

MAX_OPCODES = 2**24
"""Most opcodes, rows of floats not counted; more would take longer than anybody waits."""

MIN_MEMORY = 64 * 1024**2
"""Bytes that any pickle may take, however small it is."""


class TooLarge(ValueError):
    """What a pickle asks for would not fit beside everything else."""


def scan(raw: bytes) -> None:
    """Walk the stream: it must be whole, and ask for little more memory than it has bytes.

    Raises:
        TooLarge: its objects would take more than ``MAX_GROWTH`` times its size and more than ``MIN_MEMORY``.
        ValueError: it does not end, or holds an unknown opcode.
    """
    position, memory, most = 0, 0, max(MIN_MEMORY, MAX_GROWTH * len(raw))
    for _ in range(MAX_OPCODES):
        # Rows of floats, of which files of plain lists consist, in one go.
        floats = _FLOATS.match(raw, position).end()
        memory += _COSTS["BINFLOAT"] * (floats - position) // 9
        position = floats
        if position >= len(raw):
            raise ValueError("pickle exhausted before its end")
        name, argument = _OPCODES.get(raw[position], (None, 0))
        if name is None:
            raise ValueError(f"opcode {raw[position : position + 1]!r} unknown")
        position += 1
        if argument >= 0:
            value = int.from_bytes(raw[position : position + argument], "little")
            position += argument
        elif argument == pickletools.UP_TO_NEWLINE:
            lines = 2 if name in ("GLOBAL", "INST") else 1
            start = position
            for _ in range(lines):
                position = raw.index(b"\n", position) + 1
            value = int(raw[start:position]) if name == "PUT" else 0
        else:
            width = {-2: 1, -3: 4, -4: 4, -5: 8}[argument]
            position += width + int.from_bytes(raw[position : position + width], "little")
            value = 0
        if position > len(raw):
            raise ValueError(f"{name} exhausts the file")
        # The C unpickler allocates a table up to the largest memo index.
        if name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= value <= len(raw):
            raise ValueError("memo index out of range")
        if name == "STOP":
            return
        memory += _COSTS.get(name, 40)
        if memory > most:
            raise TooLarge(f"would take over {most // 1024**2} MiB of memory")
    raise ValueError(f"more than {MAX_OPCODES} opcodes beside its numbers")


_FLOATS = re.compile(rb"(?:G.{8})*", re.DOTALL)
_OPCODES = {ord(code.code): (code.name, 0 if code.arg is None else code.arg.n) for code in pickletools.opcodes}
# Bytes that an opcode's object takes beside its own data, with its place in a list; 40 for those not named.
_COSTS = {
    "BINFLOAT": 50,  # with the table made of it; measured 5.8 times its nine bytes
    "EMPTY_LIST": 90,
    "LIST": 90,
    "EMPTY_DICT": 90,
    "DICT": 240,
    "EMPTY_SET": 240,
    "FROZENSET": 240,
    "SETITEM": 100,
    "REDUCE": 120,
    "BUILD": 120,
    "BININT1": 8,
    "NONE": 8,
    "NEWTRUE": 8,
    "NEWFALSE": 8,
    "EMPTY_TUPLE": 8,
    "BINGET": 8,
    "LONG_BINGET": 8,
    "MARK": 8,
    "APPENDS": 0,
    "APPEND": 0,
    "SETITEMS": 0,
    "MEMOIZE": 8,
    "BINPUT": 8,
    "LONG_BINPUT": 8,
    "FRAME": 0,
}

"""A pickle machine that cannot run code: it interprets the opcodes of plain data and numpy arrays, within a budget.

Python's own unpicklers import and call what a file names. Overriding ``find_class`` restricts the names, but limits no
memory and cannot read joblib's files, which hold raw arrays between the opcodes. This machine knows neither imports nor
attributes, so a file has nothing to call but the stand-ins; :mod:`pickletools` supplies the table of opcodes and the
readers of their arguments.

Libraries considered: fickling analyzes a file and then loads it with Python's unpickler, picklescan and modelscan
report names from a deny-list, ``torch.load(weights_only=True)`` needs torch and reads tensors only, skops
reads its own format, and joblib executes. None limits memory.
"""

import codecs
import io
import pickletools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from amp_helpers.formats.pickles.stand_ins import (
    ALLOWED,
    CLASSES,
    Dtype,
    OrderedDict,
    PendingArray,
    Refused,
    check_keys,
    collect,
)

MAX_GROWTH = 4
"""Most memory that the objects of a pickle may take, as a multiple of the file's size."""
MIN_MEMORY = 64 * 1024**2
"""Memory that the objects of any pickle may take, bytes."""
MIN_UNFOLDED = 16 * 1024**2
"""Bytes that any pickle may unfold to. A still clip as plain lists names one row again and again."""
MAX_OPCODES = 2**23
"""Most opcodes, not counting runs of floats; a few seconds' work."""


class TooLarge(ValueError):
    """The objects of a pickle would take too much memory."""


def interpret(
    raw: bytes,
    *,
    names: Mapping[tuple[str, str], object] = ALLOWED,
    external: Callable[[object], object] | None = None,
    size: int | None = None,
) -> object:
    """Read the content of a pickle: builtin containers, text, numbers and numpy arrays, which may be read-only.

    Args:
        raw: the pickle.
        names: the allow-list, (module, name) -> stand-in.
        external: resolves a reference to something outside the pickle; by default there is nothing.
        size: bytes of the file that the pickle is part of, by default those of ``raw``; its memory is measured by it.

    Raises:
        Refused: it holds a name outside the allow-list, or an opcode that plain data do not need.
        TooLarge: its objects would take more than ``MAX_GROWTH`` times its size and more than ``MIN_MEMORY``, or with
            every mention of one of them counted more than ``MAX_GROWTH`` times its size and ``MIN_UNFOLDED``.
        ValueError, KeyError, IndexError and others: the data are malformed; :mod:`.load` has the list.
    """
    size = len(raw) if size is None else size
    stream, memory, budget = io.BytesIO(raw), 0, max(MIN_MEMORY, MAX_GROWTH * size)
    stack: list = []
    marks: list[int] = []
    memo: dict[int, object] = {}

    def above_mark() -> list:
        mark = marks.pop()
        items = stack[mark:]
        del stack[mark:]
        return items

    def top[T](kind: type[T]) -> T:
        if not isinstance(stack[-1], kind):
            raise ValueError(f"{kind.__name__} expected")
        return stack[-1]

    for _ in range(MAX_OPCODES):
        code = stream.read(1)
        if code not in _OPCODES:
            raise ValueError(f"opcode {code!r} unknown" if code else "pickle exhausted before its end")
        name, read = _OPCODES[code]
        argument: Any = read(stream) if read else None
        memory += _COSTS.get(name, 40)
        match name:
            case "BINFLOAT":  # a run of them at once, because plain lists consist of them
                run = _FLOATS.match(raw, stream.tell() - 9)
                numbers = np.frombuffer(run[0] if run else b"", dtype="S1, >f8")["f1"]
                memory += _COSTS[name] * len(numbers)
                if memory <= budget:
                    stack.extend(numbers.tolist())
                    stream.seek(9 * (len(numbers) - 1), io.SEEK_CUR)
            case _ if name in _VALUES:
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "MARK":
                marks.append(len(stack))
            case "EMPTY_TUPLE" | "EMPTY_LIST" | "EMPTY_SET":
                stack.append(_KINDS[name.removeprefix("EMPTY_")]())
            case "TUPLE" | "LIST" | "FROZENSET":
                stack.append(collect(_KINDS[name], above_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
            case "APPEND":
                item = stack.pop()
                top(list).append(item)
            case "APPENDS":
                items = above_mark()
                top(list).extend(items)
            case "ADDITEMS":
                items = above_mark()
                top(set).update(collect(set, items))
            case "EMPTY_DICT":
                stack.append({})
            case "DICT":
                stack.append(_pairs(above_mark()))
            case "SETITEM" | "SETITEMS":
                items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else above_mark()
                top(dict).update(_pairs(items))
            case "POP":
                stack.pop()
            case "POP_MARK":
                above_mark()
            case "DUP":
                stack.append(stack[-1])
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "PUT" | "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                index = len(memo) if argument is None else argument
                memo[index] = stack[-1]
                if isinstance(stack[-1], PendingArray):
                    stack[-1].memo.append(index)
            case "GLOBAL" | "INST":
                stack.append(_stand_in(names, *argument.split(" ", 1)))
                if name == "INST":
                    raise Refused("an instance of a class")
            case "STACK_GLOBAL":
                stack.append(_stand_in(names, stack.pop(-2), stack.pop()))
            case "REDUCE" | "NEWOBJ":
                function, arguments = stack.pop(-2), stack.pop()
                if not callable(function):
                    raise ValueError("call of a value")
                stack.append(function(*arguments))
                memory += _size(stack[-1])
            case "BUILD":
                state, target = stack.pop(), stack[-1]
                if isinstance(target, PendingArray):
                    stack[-1] = target.build(state, stream.read)
                    memo.update(dict.fromkeys(target.memo, stack[-1]))
                    target.memo.clear()
                    memory += _size(stack[-1])
                elif isinstance(target, Dtype | OrderedDict):
                    target.build(state)
                else:
                    raise Refused("an attempt to alter a constructor" if callable(target) else "an instance of a class")
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                most = max(MIN_UNFOLDED, MAX_GROWTH * size)
                if unfolded_bytes(stack[-1]) > most:
                    raise TooLarge(f"mentions its content so often that it unfolds to over {most // 1024**2} MiB")
                return stack[-1]
            case "BINPERSID" if external is not None:
                stack.append(external(stack.pop()))
            case "PERSID" | "BINPERSID":
                raise Refused("a reference to something outside the file")
            case _:
                raise Refused(f"the opcode {name}")
        if memory > budget:
            raise TooLarge(f"would take over {budget // 1024**2} MiB of memory")
    raise TooLarge(f"holds more than {MAX_OPCODES} opcodes")


def _stand_in(names: Mapping[tuple[str, str], object], module: object, name: object) -> object:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name that is not text")
    if (module, name) not in names and name not in CLASSES:
        raise Refused(f"{f'{module}.{name}'!r:.80}")
    return names.get((module, name), CLASSES.get(name))


def _pairs(items: list) -> dict:
    keys, values = items[::2], items[1::2]
    check_keys(keys)
    return dict(zip(keys, values, strict=True))


def _size(value: object) -> int:
    """Bytes of a call's result. Its operands may come from the memo, so that few opcodes can copy them many times."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple | set | frozenset):
        return 64 * len(value)
    return len(value) if isinstance(value, bytes | str) else 0


def unfolded_bytes(content: object) -> int:
    """Bytes of content written out in full: a container or an array that is mentioned many times counts each time.

    Containers nested in themselves, or deeper than Python's stack, raise RecursionError.
    """
    return _unfolded(content, {})


def _unfolded(content: object, done: dict[int, int]) -> int:
    if isinstance(content, PendingArray | Dtype) or callable(content):
        raise ValueError("array without content")
    if isinstance(content, str | bytes | bytearray):
        return 8 + len(content)
    if (nbytes := getattr(content, "nbytes", None)) is not None:
        return 64 + nbytes
    if not isinstance(content, dict | list | tuple | set | frozenset):
        return 8
    if id(content) not in done:
        items = content.values() if isinstance(content, dict) else content
        numbers = set(map(type, items)) <= {float, int}  # rows of plain lists need no look at each number
        done[id(content)] = 64 + (8 * len(items) if numbers else sum(_unfolded(item, done) for item in items))
    return done[id(content)]


_FLOATS = re.compile(rb"(?:G.{8})++", re.DOTALL)  # possessive: backtracking would take 100 bytes per number
_KINDS = {"TUPLE": tuple, "LIST": list, "SET": set, "FROZENSET": frozenset}
_OPCODES: dict[bytes, tuple[str, Callable[[io.BytesIO], object] | None]] = {
    code.code.encode("latin1"): (code.name, code.arg.reader if code.arg else None) for code in pickletools.opcodes
}
# Python 2 stores bytes as STRING, which pickletools reads as ASCII.
_OPCODES[b"S"] = (
    "STRING",
    lambda stream: codecs.escape_decode(pickletools.read_stringnl(stream, False))[0].decode("latin1"),
)
_VALUES = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"}
_VALUES |= {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
_VALUES |= {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
# Bytes of an opcode's object without its data, and of its place in a container; 40 for opcodes not listed.
_COSTS = {
    **dict.fromkeys(("EMPTY_SET", "FROZENSET", "DICT"), 240),
    **dict.fromkeys(("REDUCE", "NEWOBJ", "BUILD"), 120),
    **dict.fromkeys(("EMPTY_LIST", "LIST", "EMPTY_DICT", "SETITEM"), 90),
    "BINFLOAT": 50,  # with the array made of it; measured 5.8 times the nine bytes of the opcode
    **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE", "BININT1", "EMPTY_TUPLE", "GET", "BINGET", "LONG_BINGET"), 8),
    **dict.fromkeys(("APPEND", "APPENDS", "SETITEMS", "FRAME"), 0),
}

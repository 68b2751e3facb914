"""joblib's pickles, without joblib: opcodes, and between them the raw bytes of every array.

After the opcodes of a ``joblib.numpy_pickle.NumpyArrayWrapper``, which hold the array's shape, dtype and order, the
array itself follows: in newer files one byte that counts the bytes of padding, the padding, and the data. Only
Python's own unpickler can pause there, and only those of its opcodes that such files use are left in it.
"""

import io
import math
import pickle
from typing import ClassVar

import numpy as np

from amp_helpers.formats.pickles.stand_ins import ALLOWED, Array, Dtype, Refused, from_bytes

MAX_OPCODE_BYTES = 4 * 1024**2
"""Most bytes of opcodes; thousands of clips take less, and reading more would take long."""

_NEEDLESS = (
    *(pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    *(pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.PERSID, pickle.BINPERSID, pickle.LONG4),
)


class _Wrapper:
    """What a ``NumpyArrayWrapper`` says of the array that follows it."""

    __slots__ = ()


class _Stream(io.BytesIO):
    """The file's bytes; what is read as opcodes is counted, what is read as arrays is not."""

    left = MAX_OPCODE_BYTES

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._raw = memoryview(raw)

    def read(self, size: int = -1) -> bytes:
        return self._counted(super().read(min(size, self.left + 1) if size >= 0 else self.left + 1))

    def readline(self, size: int = -1) -> bytes:
        return self._counted(super().readline(self.left + 1))

    def array(self, size: int) -> memoryview:
        """The next bytes, not copied."""
        start = self.tell()
        self.seek(start + size)
        return self._raw[start : start + size]

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise Refused(f"more than {MAX_OPCODE_BYTES // 1024**2} MiB beside its arrays")
        return data


class _JoblibUnpickler(pickle._Unpickler):
    dispatch: ClassVar[dict] = {
        code: load for code, load in pickle._Unpickler.dispatch.items() if bytes([code]) not in _NEEDLESS
    }

    def __init__(self, stream: _Stream) -> None:
        super().__init__(stream, encoding="latin1")
        self._stream = stream

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _Wrapper
        if (module, name) not in ALLOWED:
            raise Refused(f"{f'{module}.{name}'!r:.80}")
        return ALLOWED[module, name]

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        if self.stack.pop() is not _Wrapper or arguments != ():
            raise Refused("an object to be made")
        self.append(_Wrapper())

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Wrapper):
            self.stack[-1] = self._array(state)
        elif isinstance(target, Array | Dtype):
            target.__setstate__(state)
        else:
            raise Refused("an attempt to alter an object")

    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, state: dict) -> np.ndarray:
        dtype, shape = state["dtype"], state["shape"]
        if not isinstance(dtype, Dtype) or not isinstance(shape, tuple):
            raise ValueError("an array's dtype or shape is of another kind")
        if any(type(size) is not int or size < 0 for size in shape):
            raise ValueError("array shape is not a tuple of sizes")
        if state.get("numpy_array_alignment_bytes") is not None:
            padding = self._stream.array(1)
            self._stream.array(padding[0])
        raw = self._stream.array(math.prod(shape) * dtype.numpy().itemsize)
        return from_bytes(raw, dtype, shape, "F" if state["order"] == "F" else "C")


def load_joblib(raw: bytes) -> object:
    """The content of an unpacked joblib file; arrays are views on it.

    Raises:
        Refused: it names something outside the allow-list.
        Exception: what a malformed stream makes Python's unpickler raise; ``safe_pickle`` knows the list.
    """
    return _JoblibUnpickler(_Stream(raw)).load()

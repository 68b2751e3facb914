"""Motion files made to exhaust a reader, by kind: every one has to be read or refused in a sentence, soon and small.

Each kind is a value in the place of a field of every format, so that new formats are attacked as well.

    python tests/hostile_files.py [--every_field]     judges each in a process of its own, and prints the faults
"""

import contextlib
import io
import json
import os
import pickle
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from motion_samples import samples

from amp_helpers.convert import convert
from amp_helpers.errors import InputError

TERMINAL = "\x1b]0;owned\x07\x1b[2J\r\n\u202e"


@dataclass(frozen=True)
class Hostile:
    """A file."""

    name: str
    suffix: str
    data: bytes


def nested(kind: type, times: int) -> object:
    """A container of two mentions of a container of two mentions of ..., which unfolds to 2**times values."""
    value: object = kind([1.0, 2.0])
    for _ in range(times):
        value = kind([value, value])
    return value


def deep(depth: int) -> object:
    """Lists in lists, one in each."""
    value: object = [1.0]
    for _ in range(depth):
        value = [value]
    return value


def containing_itself() -> list:
    """A list in itself."""
    value: list = []
    value.append(value)
    return value


PLAIN: dict[str, object] = {
    "null": None,
    "flag": True,
    "negative": -1,
    "zero": 0,
    "huge integer": 10**4000,
    "huge number": 1e308,
    "text": "walk",
    "terminal": TERMINAL * 20,
    "long text": "a" * 10**6,
    "empty list": [],
    "list of lists": [[]],
    "ragged": [[1.0], [1.0, 2.0]],
    "deep": deep(400),
    "dict": {"a": {"b": 1}},
    "names of very different lengths": ["a"] * 20_000 + ["b" * 200_000],
    "many names": [f"joint_{i}" for i in range(50_000)],
    "names with control characters": [TERMINAL + str(i) for i in range(29)],
    "names that are numbers": list(range(29)),
    "one name many times": ["left_knee_joint"] * 29,
}
"""Kind -> value that JSON holds too."""

PICKLED: dict[str, object] = {
    **PLAIN,
    "nested lists, 2 MB": nested(list, 14),
    "nested lists": nested(list, 40),
    "nested tuples": nested(tuple, 40),
    "a list in itself": containing_itself(),
    "complex": 1j,
    "bytes": b"\x00" * 100,
    "set": {1, 2},
    "NaN": float("nan"),
    "scalar": np.float32(30),
    "text array": np.array(["a", "b"]),
    "no rows": np.zeros((0, 29)),
    "no columns": np.zeros((10**6, 0)),
    "many empty columns": np.zeros((0, 10**9)),
    "32 axes": np.zeros((1,) * 32),
    "half precision": np.zeros((40, 29), np.float16),
    "large integers": np.full((40, 29), np.iinfo(np.int64).min),
    "flags": np.ones((40, 29), bool),
    "NaN rows": np.full((40, 29), np.nan),
    "one row many times": [[0.0] * 29] * 20_000,
    "one array many times": [np.zeros((1000, 29))] * 20_000,
}
"""Kind -> value that pickles hold."""

STREAMS = {
    "tuples as keys": b"\x80\x02)q\x00"
    + b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60))
    + b"}h\x3cK\x01s.",
    "tuples in a frozenset": b"\x80\x04)\x94"
    + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60))
    + b"(h\x3c\x91.",
    "tuples in a set": b"\x80\x04)\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60)) + b"\x8f(h\x3c\x90.",
    "tuples to a set by a call": b"cbuiltins\nset\n)\x94"
    + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60))
    + b"]h\x3ca\x85R.",
    "copies of one list by calls": b"\x80\x04]("
    + b"K\x01" * 5000
    + b"e\x94("
    + b"cbuiltins\nlist\nh\x00\x85R" * 5000
    + b"l.",
    "copies of one tuple of copies": b"\x80\x04](K\x01K\x01e\x94"
    + b"".join(b"cbuiltins\ntuple\n](h%ch%ce\x85R\x94" % (i, i) for i in range(60))
    + b".",
    "lists by calls of lists": b"\x80\x04](K\x01e\x94"
    + b"".join(b"cbuiltins\nlist\n](h%ch%ce\x85R\x94" % (i, i) for i in range(60))
    + b".",
    "many empty lists": b"\x80\x04](" + b"]" * 300_000 + b"e.",
    "many empty dicts": b"\x80\x04](" + b"}" * 300_000 + b"e.",
    "many duplicates": b"\x80\x04](K\x01" + b"2" * 10**6 + b"e.",
    "many marks": b"\x80\x04" + b"(" * 10**6 + b".",
    "nested deeper than any stack": b"\x80\x04" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
    "a frame of any size": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f}.",
    "text of any size": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.",
    "bytes of any size": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa.",
    "an integer of many digits": b"I" + b"9" * 10**6 + b"\n.",
    "a long integer": b"\x80\x04\x8b\x40\x42\x0f\x00" + b"\x7f" * 10**6 + b".",
    "a class": b"cos\nsystem\n(S'true'\ntR.",
    "a reference outside": b"Pweights\n.",
    "an instance": b"(ios\nsystem\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "nothing": b"",
    "a stop alone": b".",
}
"""Kind -> opcodes that no pickler writes."""


def _named_often(clip: dict) -> dict[str, dict]:
    """Contents in which a small file names one clip, or parts of it, thousands of times."""
    return {
        "one clip named 5,000 times": {f"clip {i}": clip for i in range(5000)},
        "5,000 clips of the same arrays": {f"clip {i}": dict(clip) for i in range(5000)},
        "one clip under names with control characters": {TERMINAL + str(i): clip for i in range(3)},
        "a clip beside something else": {"a": clip, "b": 3},
    }


def hostile_files(folder: Path, every_field: bool = False) -> Iterator[Hostile]:
    """Yield files of every kind for every format.

    Args:
        folder: for temporary files.
        every_field: put each value in the place of every field; otherwise of one, each value of another.
    """
    for name, stream in STREAMS.items():
        yield Hostile(f"pickle: {name}", ".pkl", stream)
    for sample in samples(folder):
        content = None
        if sample.data.startswith(b"\x80"):
            content, write, values = joblib.load(io.BytesIO(sample.data)), pickle.dumps, PICKLED
        elif sample.data.startswith(b"{"):
            content, write, values = json.loads(sample.data), lambda made: json.dumps(made).encode(), PLAIN
        elif sample.data.startswith(b"PK") and sample.suffix == ".npz":
            content, write, values = dict(np.load(io.BytesIO(sample.data), allow_pickle=True)), _npz, ARRAYS
        if not isinstance(content, dict):
            continue
        clip = next(iter(content.values())) if all(isinstance(v, dict) for v in content.values()) else content
        for number, (name, value) in enumerate(values.items()):
            for key in clip if every_field else [list(clip)[number % len(clip)]]:
                yield Hostile(f"{sample.kind}: {key} is {name}", sample.suffix, write(clip | {key: value}))
        if write is pickle.dumps:
            for name, made in _named_often(clip).items():
                yield Hostile(f"{sample.kind}: {name}", sample.suffix, write(made))
    yield from _archives()
    yield from _tables()


ARRAYS: dict[str, Any] = {
    "empty": np.zeros(0),
    "scalar": np.float64(3),
    "NaN": np.float64("nan"),
    "text": np.array("walk"),
    "terminal": np.array([TERMINAL] * 29),
    "long text": np.array(["a" * 10**5] * 3),
    "complex": np.zeros((40, 29), complex),
    "dates": np.zeros((40, 29), "M8[s]"),
    "records": np.zeros((40, 29), "f4,f4"),
    "half precision": np.zeros((40, 29), np.float16),
    "no rows": np.zeros((0, 29)),
    "no columns": np.zeros((10**6, 0)),
    "32 axes": np.zeros((1,) * 32),
    "NaN rows": np.full((40, 29), np.nan),
    "large": np.full((40, 29), 1e300),
    "flags": np.ones((40, 29), bool),
    "50 MB of zeros": np.zeros((220_000, 29)),
    "a million names": np.array(["left_knee_joint"] * 200_000),
}
"""Kind -> array in the place of a member of an npz file."""


def _npz(arrays: dict) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _member(header: str, data: bytes = b"") -> bytes:
    text = header.encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def _archives() -> Iterator[Hostile]:
    def packed(member: bytes, name: str = "dof_pos.npy", times: int = 1) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for index in range(times):
                archive.writestr(name if times == 1 else f"{index}{name}", member)
            for key in ("root_pos", "root_rot"):
                archive.writestr(
                    f"{key}.npy", _member("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }", bytes(24))
                )
        return file.getvalue()

    huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }"
    members = {
        "a shape of any size": _member(huge % "1000000000000"),
        "a shape beyond 64 bits": _member(huge % ("1" * 30)),
        "a negative shape": _member(huge % "-1"),
        "no data and any width": _member(huge % "0, 1000000000000"),
        "a header of brackets": _member("(" * 60_000),
        "a header of numbers": _member("{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1," * 25_000 + "), }"),
        "a header of text": _member("{'descr': '" + "f8," * 15_000 + "', 'fortran_order': False, 'shape': (1,), }"),
        "an array of objects": _member("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", pickle.dumps([1])),
        "characters of any width": _member("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (1,), }"),
        "a name of a record with control characters": _member(
            "{'descr': [('\\x1b[2J', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8)
        ),
        "another version": b"\x93NUMPY\x09\x00" + bytes(100),
        "no header": b"hello",
        "zeros without end": bytes(300 * 1024**2),
    }
    for name, member in members.items():
        yield Hostile(f"npz: {name}", ".npz", packed(member))
    yield Hostile("npz: many members", ".npz", packed(_member(huge % "1", bytes(8)), times=20_000))
    yield Hostile(
        "npz: a member outside of the folder", ".npz", packed(_member(huge % "1", bytes(8)), "../../evil.npy")
    )
    yield Hostile(
        "npz: a member with control characters", ".npz", packed(_member(huge % "1", bytes(8)), TERMINAL + ".npy")
    )
    sound = packed(_member(huge % "1", bytes(8)))
    for name, position in (("the directory", -30), ("the first header", 10), ("the data", len(sound) // 2)):
        broken = bytearray(sound)
        broken[position] ^= 0xFF
        yield Hostile(f"npz: a wrong byte in {name}", ".npz", bytes(broken))
    yield Hostile("npz: cut short", ".npz", sound[: len(sound) // 2])


def _tables() -> Iterator[Hostile]:
    row = ",".join(["0", "0", "0.8", "0", "0", "0", "1", *["0.1"] * 29])
    tables = {
        "one line of 20 MB": "1," * 10**7,
        "one cell of 20 MB": "1" * (2 * 10**7) + "\n" + row,
        "a header of 20 MB": "a," * 10**7 + "\n" + row,
        "a header with control characters": ",".join([TERMINAL.replace("\r\n", "")] * 36) + "\n" + row,
        "a million empty lines": "\n" * 10**6 + row,
        "a million columns": ",".join(["0"] * 10**6) + "\n" + ",".join(["0"] * 10**6),
        "a million short rows": "0\n" * 10**6,
        "ragged rows": row + "\n" + row + ",1\n",
        "NaN": row.replace("0.1", "nan") + "\n",
        "infinite": row.replace("0.1", "1e999") + "\n",
        "huge": row.replace("0.1", "1e300") + "\n",
        "hexadecimal": row.replace("0.1", "0x1p3") + "\n",
        "underscores": row.replace("0.1", "1_0") + "\n",
        "complex": row.replace("0.1", "1j") + "\n",
        "quotes": '"' * 10**6 + "\n" + row,
        "a quote without end": row + '\n"' + row,
        "a formula": row.replace("0.1", "=cmd|' /C calc'!A0") + "\n",
        "zero bytes": row + "\n\0\0\0\n" + row,
        "a byte-order mark": "\ufeff" + row + "\n" + row,
        "other digits": row.replace("0.1", "\u0661") + "\n",
        "semicolons": row.replace(",", ";") + "\n",
        "nothing": "",
        "spaces": " " * 10**6,
        "a header alone": ",".join(f"joint_{i}" for i in range(36)),
        "a column of the same name": ",".join(["left_knee_joint"] * 36) + "\n" + row,
    }
    for name, text in tables.items():
        yield Hostile(f"CSV: {name}", ".csv", text.encode())
    for name, data in (
        ("UTF-16", row.encode("utf-16")),
        ("Latin-1", b"\xe9" + row.encode()),
        ("binary", bytes(range(256)) * 100),
    ):
        yield Hostile(f"CSV: {name}", ".csv", data)
    for name, text in (
        ("deep", "[" * 10**6),
        ("deep objects", '{"a":' * 10**5),
        ("many keys", "{" + ",".join(f'"{i}":0' for i in range(300_000)) + "}"),
        ("NaN", '{"Frames": [[NaN]], "FrameDuration": NaN}'),
        ("an integer of many digits", '{"Frames": [[' + "9" * 10**6 + ']], "FrameDuration": 1}'),
        ("one list of a million", '{"Frames": [' + "[]," * 10**6 + '[]], "FrameDuration": 1}'),
        ("nothing", ""),
        ("cut short", '{"Frames": [[0'),
    ):
        yield Hostile(f"JSON: {name}", ".json", text.encode())


SECONDS, MEMORY = 10.0, 256 * 1024**2


def judge(path: Path) -> str:
    """Convert a file in a child process; return what is wrong with the outcome, or nothing."""
    read_end, write_end = os.pipe()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))  # and not a clock, which other processes hold up
        os.write(write_end, _outcome(path).encode(errors="replace")[:60_000])
        os._exit(0)
    os.close(write_end)
    with open(read_end, errors="replace") as pipe:
        outcome = pipe.read()
    os.waitpid(child, 0)
    return outcome.strip() if outcome else "killed"


def _outcome(path: Path) -> str:
    page, used = resource.getpagesize(), int(Path("/proc/self/statm").read_text().split()[1])
    start = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            convert([path], path.with_name("out.npz"), robot="g1_29dof")
        fault = ""
    except InputError as error:
        sentence = str(error)
        fine = sentence.isprintable() and "; " in sentence and str(path) in sentence and len(sentence) < 1200
        fault = "" if fine else f"no sentence: {sentence!r}"
    except BaseException:
        fault = traceback.format_exc()
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - used * page
    if seconds > SECONDS:
        fault += f" took {seconds:.1f} s"
    if memory > max(MEMORY, 4 * path.stat().st_size):
        fault += f" took {memory / 1024**2:.0f} MiB"
    return fault or " "


def main() -> int:
    """Judge all files and print the faults."""
    faults = count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples").mkdir()
        for hostile in hostile_files(folder / "samples", "--every_field" in sys.argv):
            path = folder / f"motion{hostile.suffix}"
            path.write_bytes(hostile.data)
            count += 1
            if fault := judge(path):
                faults += 1
                print(f"{hostile.name} ({len(hostile.data)} bytes): {fault}", flush=True)
    print(f"{count} files, {faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())

"""Mutations of motion files, and generators of unusual ones."""

import io
import json
import pickle
import re
import zipfile
import zlib
from dataclasses import replace
from datetime import timedelta

import joblib
import motion_contents
import motion_samples
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

Random = np.random.Generator


# --- bytes ----------------------------------------------------------------------------------------------------------


def _place(data: bytearray, random: Random) -> int:
    """Draw a position, often near the ends, where headers and directories are."""
    reach = int(random.choice([200, len(data)]))
    place = int(random.integers(0, max(1, min(reach, len(data)))))
    return place if random.random() < 0.7 else max(0, len(data) - 1 - place)


def _flip(data: bytearray, random: Random) -> None:
    data[_place(data, random)] ^= 1 << int(random.integers(8))


def _overwrite(data: bytearray, random: Random) -> None:
    place = _place(data, random)
    data[place : place + 8] = random.bytes(int(random.choice([1, 2, 4, 8])))


def _extreme(data: bytearray, random: Random) -> None:
    place = _place(data, random)
    data[place : place + 8] = [b"\x00", b"\xff", b"\x7f", b"\xff" * 4, b"\xff" * 7 + b"\x7f", b"\x00" * 8][
        int(random.integers(6))
    ]


def _cut(data: bytearray, random: Random) -> None:
    place = _place(data, random)
    del data[place : place + int(random.choice([1, 3, 64, 5000, len(data)]))]


def _repeat(data: bytearray, random: Random) -> None:
    place = _place(data, random)
    part = data[place : place + int(random.choice([1, 16, 500]))]
    data[place:place] = part * int(random.choice([1, 2, 50]))


def _number(data: bytearray, random: Random) -> None:
    """Replace a number in text: in a header, a shape, or a cell."""
    found = list(re.finditer(rb"-?\d[\d.e+-]*", bytes(data)))
    if found:
        spot = found[int(random.integers(len(found)))]
        odd = [b"0", b"-1", b"99999999999", b"1e999", b"nan", b"-inf", b"3" * 400, b"0x1f", b"1_0", b"None"]
        data[spot.start() : spot.end()] = odd[int(random.integers(len(odd)))]


_DAMAGES = (_flip, _overwrite, _extreme, _cut, _repeat, _number)


def _bytes(content: bytes, random: Random) -> bytes:
    data = bytearray(content)
    for _ in range(int(random.choice([1, 1, 2, 8]))):
        if data:
            _DAMAGES[int(random.integers(len(_DAMAGES)))](data, random)
    return bytes(data)


# --- archives -------------------------------------------------------------------------------------------------------


def _inside_zip(content: bytes, random: Random) -> bytes:
    """Damage entries and repack them with valid checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    target = int(random.integers(len(entries)))
    name, entry = entries[target]
    action = random.random()
    if action < 0.7:
        entries[target] = (name, _bytes(entry, random))
    elif action < 0.8:
        del entries[target]
    elif action < 0.9:
        entries[target] = (name, entries[int(random.integers(len(entries)))][1])
    else:
        entries.append(("../" * int(random.integers(3)) + name + "x", entry))
    stream = io.BytesIO()
    packing = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED][int(random.integers(2))]
    with zipfile.ZipFile(stream, "w", packing) as archive:
        for name, entry in entries:
            archive.writestr(name, entry)
    return stream.getvalue()


def _inside_zlib(content: bytes, random: Random) -> bytes:
    return zlib.compress(_bytes(zlib.decompress(content), random))


def damaged(
    sample: motion_samples.Sample, others: list[motion_samples.Sample], random: Random
) -> motion_samples.Sample:
    """Damage a sample in a few places; sometimes give it another format's suffix, or join it to another sample."""
    data = sample.data
    inside = {b"PK": _inside_zip, b"x\x5e": _inside_zlib, b"x\x9c": _inside_zlib}.get(data[:2])
    if inside is not None and random.random() < 0.6:
        data = inside(data, random)
    elif random.random() < 0.05:
        other = others[int(random.integers(len(others)))].data
        data = data[: int(random.integers(len(data)))] + other[int(random.integers(len(other))) :]
    else:
        data = _bytes(data, random)
    suffix = others[int(random.integers(len(others)))].suffix if random.random() < 0.05 else sample.suffix
    return replace(sample, data=data, suffix=suffix if random.random() > 0.03 else ".bin", first_pose=None)


# --- contents ------------------------------------------------------------------------------------------------

_MOTION = motion_samples.walk(6)
_CONTENTS: dict[str, dict[str, object]] = {
    "GMR pickle": motion_contents.gmr(_MOTION) | {"local_body_pos": None, "link_body_list": None},
    "ASAP/PHC pickle": motion_contents.phc(_MOTION),
    "MimicKit pickle": {"fps": 30, "loop_mode": 1, "frames": np.zeros((6, 35)).tolist()},
    "legged_lab pickle": motion_contents.legged_lab(_MOTION),
    "SONIC pickle": motion_contents.tracking(_MOTION),
    "BeyondMimic JSON": motion_contents.tracking(_MOTION) | {"fps": 30},
    "AMP JSON": motion_contents.amp_json(_MOTION)[0],
    "amp-rsl-rl npy": motion_contents.amp_rsl_rl(_MOTION),
    "ProtoMotions library": motion_contents.protomotions_library(_MOTION),
    "loco-mujoco npz": motion_contents.loco_mujoco(_MOTION),
    "loco-mujoco npz of version 0": motion_contents.loco_mujoco_arrays(_MOTION),
}

_odd_numbers = st.sampled_from([0, -1, 1e-300, 1e-9, 1e9, 1e300, float("nan"), float("inf"), 2**63, True])
_odd_arrays = st.builds(
    lambda shape, kind, fill: np.full(shape, fill).astype(kind),
    st.lists(st.integers(0, 7), max_size=4).map(tuple),
    st.sampled_from(["f8", ">f4", "f2", "i8", "u1", "b1", "c16", "U3", "S2", "M8[s]"]),
    st.sampled_from([0, 1, -1, 7]),
)
_odd_values = st.one_of(
    _odd_numbers,
    _odd_arrays,
    st.none(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.recursive(
        st.floats() | st.text(max_size=3), lambda part: st.lists(part, max_size=4) | st.tuples(part, part), max_leaves=8
    ),
    st.dictionaries(st.text(max_size=4) | st.integers(), st.floats(), max_size=3),
    st.just(timedelta(1)),
    st.complex_numbers(),
    st.frozensets(st.integers(), max_size=3),
)


def _spoil(value: object, where: int, number: object) -> object:
    """Put an unusual number into an array."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return number
    value = value.copy()
    with np.errstate(over="ignore"):
        value.flat[where % value.size] = number
    return value


@st.composite
def _contents(draw: st.DrawFn) -> motion_samples.Sample:
    kind = draw(st.sampled_from(sorted(_CONTENTS)))
    content = dict(_CONTENTS[kind])
    for key in draw(st.lists(st.sampled_from(sorted(content)), max_size=2)):
        value = content.get(key)
        action = draw(st.sampled_from(["drop", "replace", "spoil", "cut"]))
        if action == "drop":
            content.pop(key, None)
        elif action == "replace":
            content[key] = draw(_odd_values)
        elif key in content and action == "spoil":
            content[key] = _spoil(content[key], draw(st.integers(0, 500)), draw(_odd_numbers))
        elif isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim):
            content[key] = value[: draw(st.integers(0, 5))]
    table = content.get({"GMR pickle": "dof_pos", "ASAP/PHC pickle": "dof"}.get(kind))
    known = isinstance(table, np.ndarray) and table.dtype == np.float32 and table.shape[0] > 0
    pose = tuple(table[0].tolist()) if known else None
    if draw(st.booleans()):
        content = {draw(st.text(max_size=5)): content, "other": draw(st.just(content) | _odd_values)}
    way = draw(st.sampled_from(["pickle", "joblib", "npz", "npy", "json"]))
    return motion_samples.Sample(kind, *_stored(content, way), pose)


def _stored(content: dict[object, object], way: str) -> tuple[str, bytes]:
    stream = io.BytesIO()
    if way == "joblib":
        joblib.dump(content, stream)
    elif way == "npz" and all(isinstance(key, str) for key in content):
        # Python objects are stored as pickles, as some writers do.
        np.savez(stream, **{f"{key}": _as_array(value) for key, value in content.items() if "/" not in key})
        return ".npz", stream.getvalue()
    elif way == "npy":
        np.save(stream, content, allow_pickle=True)
        return ".npy", stream.getvalue()
    elif way == "json":
        text = json.dumps(content, default=_plain, skipkeys=True)
        return ".json", text.encode("utf-8", "surrogatepass")
    else:
        pickle.dump(content, stream)
    return ".pkl", stream.getvalue()


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) and value.dtype.kind in "fiubU" else repr(value)


def _as_array(value: object) -> np.ndarray:
    if isinstance(value, np.ndarray | list | float | int | str) and not _ragged(value):
        return np.asarray(value)
    boxed = np.empty((), dtype=object)
    boxed[()] = value
    return boxed


def _ragged(value: object) -> bool:
    return (
        isinstance(value, list) and len({np.shape(row) if not isinstance(row, list) else len(row) for row in value}) > 1
    )


_cells = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(["", " ", "nan", "1e999", "0x10", '"', "1,5", "\t", "\x00", "٣", "-", "#", "1_000"]),
    st.text(max_size=5),
)


@st.composite
def _tables(draw: st.DrawFn) -> motion_samples.Sample:
    width = draw(st.sampled_from([36, 36, 36, 30, 37, 1, 0]))
    rows = [
        ["0", "0", "0.8", "0", "0", "0", "1", *["0.1"] * (width - 7)][:width] for _ in range(draw(st.integers(0, 5)))
    ]
    for row in rows[: draw(st.integers(0, 3))]:
        if row:
            row[draw(st.integers(0, len(row) - 1))] = draw(_cells)
    header = draw(st.none() | st.lists(st.text(max_size=6), min_size=width, max_size=width))
    lines = [",".join(row) for row in ([header] if header is not None else []) + rows]
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines)
    coding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return motion_samples.Sample("LAFAN1 CSV", ".csv", text.encode(coding, "surrogatepass"))


def made_up(count: int, seed: int) -> list[motion_samples.Sample]:
    """Draw files of valid format and unusual content with Hypothesis."""
    found: list[motion_samples.Sample] = []

    # Only the draws are used; the files are judged elsewhere.
    @hypothesis_seed(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(_contents() | _contents() | _tables())
    def collect(sample: motion_samples.Sample) -> None:
        found.append(sample)

    if count:
        collect()
    return found[:count]

"""Robot files made to exhaust MuJoCo or to write elsewhere: refused in a sentence, soon and small, or harmless."""

import resource
import time

import pytest

from amp_helpers.errors import InputError
from amp_helpers.robots import compiling
from amp_helpers.robots.assets import cached_folder
from amp_helpers.robots.lookup import get_robot

pytestmark = pytest.mark.slow

LEG = (
    '<body name="{0}" pos="0 {1} -1"><joint name="{0}_joint" axis="0 1 0" range="-1 1" limited="true"/>'
    '<geom size=".05"/></body>'
)
LEGS = LEG.format("left_foot", 0.1) + LEG.format("right_foot", -0.1)


def model(inside: str = "", before: str = "", name: str = "robot") -> str:
    body = f'<body name="root" pos="0 0 2"><freejoint/><geom size=".1"/>{LEGS}{inside}</body>'
    return f'<mujoco model="{name}">{before}<worldbody>{body}</worldbody></mujoco>'


EXHAUSTING = {
    "a huge height field": model(
        before='<asset><hfield name="h" nrow="20000" ncol="20000" size="1 1 1 1"/></asset>',
        inside='<geom type="hfield" hfield="h"/>',
    ),
    "a huge texture": model(
        before='<asset><texture name="t" type="2d" builtin="flat" width="60000" height="60000" rgb1="1 1 1"/></asset>'
    ),
    "replicas of replicas": model(
        '<replicate count="1000" offset="1 0 0"><replicate count="1000" offset="0 1 0">'
        '<geom size=".1"/></replicate></replicate>'
    ),
    "5,000 jointed bodies": model("".join(LEG.format(f"b{i}", i) for i in range(5000))),
    "a cable of 5,000 links": model(
        '<composite type="cable" count="5000 1 1" curve="s" size="100" prefix="c"><joint kind="main"/>'
        '<geom size=".01" type="capsule"/></composite>'
    ),
    "a grid of 64 million points": "<mujoco><worldbody>"
    '<flexcomp type="grid" count="400 400 400" spacing=".1 .1 .1" name="f" dim="3"/></worldbody></mujoco>',
    "memory by its size": model(before='<size memory="100G"/>'),
    "data by its size": model(before='<size nuserdata="2000000000"/>'),
}

BROKEN = {
    "bodies within bodies": model("<body>" * 20_000 + "</body>" * 20_000),
    "elements without end": "<mujoco>" + "<default>" * 20_000,
    "entities of entities": '<!DOCTYPE m [<!ENTITY a "'
    + "x" * 1000
    + '"><!ENTITY b "&a;&a;&a;">]><mujoco model="&b;&b;"/>',
    "itself included": '<mujoco><include file="robot.xml"/></mujoco>',
    "a device included": '<mujoco><include file="/dev/zero"/></mujoco>',
    "a plugin": model(before='<extension><plugin plugin="evil.payload"/></extension>'),
    "a size that is no number": model('<geom size="nan"/>'),
    "a joint of any range": model('<body><joint name="j" axis="0 1 0" range="1e999 2"/><geom size=".1"/></body>'),
    "mass of no size": model('<body><joint name="j" axis="0 1 0"/><geom size=".1" mass="-1"/></body>'),
    "control characters": model('<body name="\x1b[2J"><joint name="\x1b]0;owned\x07"/></body>'),
    "another document": "<robot name='r'/>",
    "text": "hello",
    "nothing": "",
    "zeros": "\0" * 1000,
}


@pytest.mark.parametrize("kind", [*EXHAUSTING, *BROKEN])
@pytest.mark.parametrize("suffix", [".xml", ".urdf"])
def test_a_file_that_would_exhaust_or_break_mujoco_is_one_sentence(tmp_path, kind, suffix):
    if suffix == ".urdf" and kind not in ("text", "nothing", "bodies within bodies", "another document"):
        pytest.skip("MJCF's own elements")
    path = tmp_path / f"robot{suffix}"
    path.write_text((EXHAUSTING | BROKEN)[kind])
    start, used = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with pytest.raises(InputError) as error:
        get_robot(str(path))
    spent = time.process_time() - start + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "; " in message and message.isprintable()
    assert spent < 10 and (kind in BROKEN or "give a file of the robot alone" in message)
    if kind == "a huge height field":
        path.write_text(model())  # the robot alone
        get_robot(str(path))


def test_a_crash_of_mujoco_is_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "robot.xml"
    path.write_text(model())
    monkeypatch.setattr(compiling.sys, "executable", "/bin/false")
    with pytest.raises(InputError, match="MuJoCo ends without a result"):
        get_robot(str(path))


def test_modules_beside_a_downloaded_robot_are_not_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("numpy", "mujoco", "json"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w')")
    (tmp_path / "robot.xml").write_text(model())
    assert get_robot("robot.xml").foot_bodies == ("left_foot", "right_foot")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "..", "a/b", "\u202e x"])
def test_a_models_name_is_no_path(tmp_path, monkeypatch, name):
    pytest.importorskip("mujoco_usd_converter", reason="the converter comes with the sim extra")
    cache = tmp_path / "a" / "b" / "cache"
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(cache))
    (tmp_path / "robot.xml").write_text(model(name=name))
    usd = get_robot(str(tmp_path / "robot.xml")).usd_path
    assert usd.is_file() and usd.is_relative_to(cache)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(cache)]
    assert outside == [tmp_path / "robot.xml"]


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "..", ".", "a/b", "\x1b[2J"])
def test_a_cached_folders_name_is_no_path(tmp_path, monkeypatch, name):
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(tmp_path / "a" / "cache"))
    folder = cached_folder(name, lambda empty: (empty / "file").touch())
    assert folder.parent == tmp_path / "a" / "cache" and (folder / "file").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]

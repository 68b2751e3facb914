"""Rendered images contain a robot and follow pose, highlight and camera, with OpenGL and without."""

import subprocess
import sys

import numpy as np
import pytest
from support import PATIENCE_S

from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion
from amp_helpers.render import renderer as render
from amp_helpers.render import scene
from amp_helpers.render.gl import gl_available
from amp_helpers.render.renderer import CAMERAS, Renderer, shared_renderer, side_by_side, write_video
from amp_helpers.robots.robot import G1_23DOF

BOTH = [
    pytest.param(True, marks=pytest.mark.skipif(not gl_available(), reason="no GL here"), id="gl"),
    pytest.param(False, id="drawing"),
]


@pytest.fixture(scope="module")
def walking():
    """A second of walking forward at 1 m/s while the left knee bends."""
    frames = 31
    joints = np.tile(G1_23DOF.default_pose(), (frames, 1))
    joints[:, G1_23DOF.joint_names.index("left_knee_joint")] += np.linspace(0, 1.2, frames)
    root = np.stack([np.linspace(0, 1, frames), np.zeros(frames), np.full(frames, 0.78)], axis=1)
    return Motion(30.0, G1_23DOF.joint_names, joints, root, np.tile([0.0, 0, 0, 1], (frames, 1)))


def changed(a, b):
    """Return the share of pixels that differ visibly."""
    return (np.abs(a.astype(int) - b.astype(int)).max(axis=2) > 20).mean()


@pytest.mark.slow
@pytest.mark.parametrize("gl", BOTH)
def test_frames_show_a_moving_robot(walking, gl):
    with Renderer(G1_23DOF, width=320, height=240, gl=gl) as renderer:
        first, last = renderer.frame(walking, 0), renderer.frame(walking, -1)
        again = renderer.frame(walking, 0)
    assert first.shape == (240, 320, 3) and first.dtype == np.uint8
    # The camera follows the root: the robot is in the center, darker than the sky and floor around it.
    for image in (first, last):
        middle, edge = image[60:200, 120:200].mean(), image[60:200, :40].mean()
        assert middle < edge - 10
    assert changed(first, last) > 0.005
    assert np.abs(first.astype(int) - again).max() <= 2  # a driver's dithering


@pytest.mark.parametrize("gl", BOTH)
def test_highlight_colors_the_link_for_one_frame(walking, gl):
    with Renderer(G1_23DOF, width=320, height=240, gl=gl, camera="front") as renderer:
        plain = renderer.frame(walking, 0)
        marked = renderer.frame(walking, 0, highlight=("left_knee_joint",))
        after = renderer.frame(walking, 0)
    orange = (marked[..., 0].astype(int) - marked[..., 2] > 80).nonzero()
    assert len(orange[0]) > 30
    assert np.median(orange[1]) > 160  # the robot faces the camera, so its left leg is on the right
    assert np.median(orange[0]) > 120  # the shin is in the lower half
    assert (plain[..., 0].astype(int) - plain[..., 2] > 80).sum() == 0
    assert np.abs(plain.astype(int) - after).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("gl", BOTH)
@pytest.mark.parametrize("camera", CAMERAS)
def test_cameras_differ_and_two_renderers_can_be_open(walking, gl, camera):
    other = next(name for name in CAMERAS if name != camera)
    with (
        Renderer(G1_23DOF, 160, 120, camera, gl=gl) as one,
        Renderer(G1_23DOF, 160, 120, other, gl=gl) as two,
    ):
        assert changed(one.frame(walking, 0), two.frame(walking, 0)) > 0.01


@pytest.mark.slow
@pytest.mark.skipif(not gl_available(), reason="no GL here")
def test_coarsened_meshes_look_the_same(walking, monkeypatch):
    with Renderer(G1_23DOF, 320, 240) as renderer:
        coarse, triangles = renderer.frame(walking, 0), renderer._model.mesh_facenum.sum()
    monkeypatch.setattr(scene, "_coarsen", lambda model, detail: None)
    with Renderer(G1_23DOF, 320, 240) as renderer:
        fine, all_triangles = renderer.frame(walking, 0), renderer._model.mesh_facenum.sum()
    assert triangles < all_triangles / 4
    assert changed(coarse, fine) < 0.01 and np.abs(coarse.astype(int) - fine).mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("gl_wanted", BOTH)
def test_renderers_are_shared_and_the_least_recently_used_is_closed(walking, gl_wanted, monkeypatch):
    closed = []
    monkeypatch.setattr(Renderer, "close", lambda self, close=Renderer.close: (closed.append(self), close(self)))
    first = shared_renderer(G1_23DOF, 64, 48, gl=gl_wanted)
    assert shared_renderer(G1_23DOF, 64, 48, gl=gl_wanted) is first
    assert shared_renderer(G1_23DOF, 64, 48, "front", gl=gl_wanted) is not first
    before = first.frame(walking, 0)
    for width in range(80, 80 + render.MAX_SHARED):
        shared_renderer(G1_23DOF, width, 48, gl=gl_wanted)
    assert first in closed and len(render._shared) == render.MAX_SHARED
    anew = shared_renderer(G1_23DOF, 64, 48, gl=gl_wanted)
    assert anew is not first and np.abs(anew.frame(walking, 0).astype(int) - before).max() <= 2


def test_unknown_cameras_and_joints_are_refused(walking):
    with pytest.raises(InputError, match="camera 'top' not found; available: side, front, quarter"):
        Renderer(G1_23DOF, camera="top")
    with (
        Renderer(G1_23DOF, gl=False) as renderer,
        pytest.raises(InputError, match="joint 'knee' not found"),
    ):
        renderer.frame(walking, 0, highlight=("knee",))


def test_videos_play_in_real_time_and_in_browsers(walking, tmp_path):
    with Renderer(G1_23DOF, width=161, height=121, gl=False) as renderer:
        frames = renderer.video(walking, fps=10)
    assert len(frames) == 11  # one second, both ends included
    pair = side_by_side(frames, frames[:3], ("with feet", "without"))
    assert len(pair) == 11 and pair[0].shape == (121, 161 + 4 + 161, 3)
    assert changed(pair[0][:, :161], frames[0]) > 0  # the label
    np.testing.assert_array_equal(pair[10][40:, 165:], frames[2][40:])  # the shorter one repeats its last frame

    labels = ["0 m/s"] * 5 + ["1 m/s"]
    told = side_by_side(frames, frames, (labels, ""))
    still = side_by_side(frames, frames, ("0 m/s", ""))
    same = [np.array_equal(a, b) for a, b in zip(told, still, strict=True)]
    assert same == [True] * 5 + [False] * 6, "a label a frame; the last one stays"

    path = write_video(tmp_path / "walk.mp4", pair, fps=10)
    import imageio_ffmpeg

    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count == 11 and seconds == pytest.approx(1.1, abs=0.05)
    details = next(imageio_ffmpeg.read_frames(str(path)))
    assert details["codec"] == "h264" and details["pix_fmt"].startswith("yuv420p")
    assert details["size"] == (326, 120)
    assert [entry.name for entry in tmp_path.iterdir()] == ["walk.mp4"]


def test_empty_videos_are_refused(tmp_path):
    with pytest.raises(InputError, match="no frames to write"):
        write_video(tmp_path / "x.mp4", [], 30)
    with pytest.raises(InputError, match="no frames; render both"):
        side_by_side([], [np.zeros((4, 4, 3), np.uint8)], ("a", "b"))
    assert not list(tmp_path.iterdir())


CODE = """
from amp_helpers.render import Renderer, gl_available
from amp_helpers.robots import G1_23DOF
import mujoco, numpy as np
from amp_helpers.motion import Motion
m = Motion(30.0, G1_23DOF.joint_names, G1_23DOF.default_pose()[None], np.array([[0, 0, .8]]), np.array([[0, 0, 0, 1.]]))
r = Renderer(G1_23DOF, 160, 120)
print(gl_available(), r.uses_gl, r.frame(m, 0).std() > 5)
"""


@pytest.mark.slow
@pytest.mark.parametrize("device", [None, "99"])
def test_an_interpreter_that_exits_without_closing_prints_nothing(device, monkeypatch):
    """A device that does not exist makes OpenGL unavailable, and the drawing takes over."""
    if device:
        monkeypatch.setenv("MUJOCO_EGL_DEVICE_ID", device)
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    expected = str(gl_available() and device is None)
    assert done.stdout.split() == [expected, expected, "True"]

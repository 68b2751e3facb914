"""The videos of a gallery are as long as the clip, and start in its phase."""

import imageio_ffmpeg
import pytest

from amp_helpers.dataset import MotionDataset
from amp_helpers.render import gallery
from amp_helpers.render.gallery import write_gallery


def frames(path) -> int:
    return imageio_ffmpeg.count_frames_and_secs(str(path))[0]


@pytest.mark.slow
def test_videos_are_in_step_with_the_clip(repo_root, tmp_path, monkeypatch):
    clip = MotionDataset.load(repo_root / "datasets" / "g1_walk.npz").clips()[0].trim(0.0, 1.26)  # a stride
    walk = clip.loop(3).trim(0.5, 3.2)
    shifted = []
    in_phase = gallery.in_phase
    monkeypatch.setattr(gallery, "in_phase", lambda *motions: shifted.append(in_phase(*motions)) or shifted[-1])
    videos = write_gallery(tmp_path / "new", clip, {"walk": walk}, prefix="04_", size=(48, 56), fps=10)
    assert list(videos) == ["clip", "walk"] and videos["walk"] == tmp_path / "new" / "04_walk.mp4"
    assert abs(shifted[0].joint_pos - clip.joint_pos).max() < 0.02, "from the middle of the walk"
    assert frames(videos["clip"]) == frames(videos["walk"]) == 12

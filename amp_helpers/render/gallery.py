"""Videos of several motions that are watched beside one clip, all in its phase and of its length."""

from collections.abc import Mapping
from pathlib import Path

from amp_helpers.motion.motion import Motion
from amp_helpers.motion.phase import in_phase
from amp_helpers.render.renderer import Renderer, write_video
from amp_helpers.robots.robot import G1_23DOF, Robot


def write_gallery(
    folder: str | Path,
    clip: Motion,
    motions: Mapping[str, Motion],
    robot: Robot = G1_23DOF,
    prefix: str = "",
    size: tuple[int, int] = (240, 280),
    fps: float = 25,
) -> dict[str, Path]:
    """Write a real-time video of the whole clip, and one as long of each motion.

    Each motion is shown from the instant at which its poses fit the clip's best
    (:func:`amp_helpers.motion.in_phase`), so it has to be a stride longer than the clip.

    Args:
        folder: for the videos, ``clip.mp4`` and one for each motion.
        clip: the clip; a cycle of whole strides loops without a jump.
        motions: name, which is the file's too -> motion.
        robot: robot whose model is drawn.
        prefix: of the files' names.
        size: width and height of a video, pixels.
        fps: frames per second.

    Returns:
        Name -> video; the clip is called ``clip`` and comes first.
    """
    shown = {"clip": clip} | {name: in_phase(motion, clip) for name, motion in motions.items()}
    with Renderer(robot, *size) as renderer:
        frames = {name: renderer.video(motion, fps) for name, motion in shown.items()}
    count = min(map(len, frames.values())) - 1  # the last frame of a cycle is its first
    return {name: write_video(Path(folder) / f"{prefix}{name}.mp4", each[:count], fps) for name, each in frames.items()}

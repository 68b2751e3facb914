"""Functions that several test modules use."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from amp_helpers.motion.motion import Motion

JOINTS = (
    "left_hip_pitch_joint",
    "left_hip_roll_joint",
    "right_hip_pitch_joint",
    "right_hip_roll_joint",
    "waist_yaw_joint",
)
PATIENCE_S = 900
"""Time after which a step counts as hanging, s; on a busy machine, steps take many times as long as usual."""
SMALL_RUN = ["--num_envs", "4", "--rollouts", "16", "--max_iterations", "1", "--hidden", "32", "--device", "cpu"]
"""Options of a training run of one update on a CPU."""


def make_motion(frames: int = 61, fps: float = 30.0, seed: int = 0, **changes) -> Motion:
    random = np.random.default_rng(seed)
    t = np.arange(frames)[:, None] / fps
    angles = random.uniform(-0.3, 0.3, 3) * np.sin(t * random.uniform(1, 3, 3)) + t * (0, 0, 0.5)
    content = {
        "fps": fps,
        "joint_names": JOINTS,
        "joint_pos": np.sin(t * random.uniform(1, 5, 5) + random.uniform(0, 6, 5)),
        "root_pos": np.concatenate([t * 0.8, 0.1 * np.sin(t), 0.8 + 0.02 * np.cos(5 * t)], axis=1),
        "root_quat": Rotation.from_euler("xyz", angles).as_quat(),
        "name": "test",
    }
    return Motion(**(content | changes))


def train_command(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    """Run the train command in ``folder``, with environment variables."""
    line = [sys.executable, "-m", "amp_helpers.train", *SMALL_RUN, *map(str, arguments)]
    environment = os.environ | variables
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def dead_links(folder: Path, ours: tuple[str, ...] | None = None) -> list[str]:
    """Links of pages to files that are not in their folder, and to places that are not in their pages.

    With ``ours``, links to files of other names are left out.
    """
    found = []
    for page in sorted(folder.glob("*.html")):
        for link in re.findall(r'(?:href|src)="(?!\w+:)([^"]*)"', page.read_text()):
            path, _, place = unescape(link).partition("#")
            target = folder / path if path else page
            dead = not target.exists() or (place and f'id="{place}"' not in unescape(target.read_text()))
            if dead and (ours is None or not path or Path(path).stem in ours):
                found.append(f"{page.name}: {link}")
    return found


def room(widget) -> str:
    """Height that a widget's layout keeps free, so that filling it moves nothing."""
    return widget.layout.min_height or widget.layout.height

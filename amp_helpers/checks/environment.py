"""Whether a running environment gives the discriminator what the dataset gives it: columns, noise, history, ends.

The clip is put into the simulator and read back; what is read must be the dataset's rows. An episode is cut, and what
is read then must be its last frame and not the first of the next.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from amp_helpers.amp_state.sources import TERM_FUNCTIONS, AmpSource, observation_terms
from amp_helpers.amp_state.state import FEATURE_DIMS, AmpState
from amp_helpers.checks.table import Check, CheckTable
from amp_helpers.dataset import MotionDataset
from amp_helpers.env.clip_replay import place
from amp_helpers.env.make import default_pose
from amp_helpers.errors import InputError
from amp_helpers.motion.motion import Motion

if TYPE_CHECKING:
    from isaaclab.envs import ManagerBasedRLEnv

SAME = 1e-3
"""Largest difference, in the columns' own units, that single precision explains."""

SMALL = 0.1
"""A larger one is another quantity, not another way to measure the same."""
READINGS = 8

Read = Callable[[torch.Tensor], torch.Tensor]
"""What somebody's code takes for the present AMP frames (E, columns) after a step, given which episodes ended (E)."""


def check_environment(
    env: "ManagerBasedRLEnv", dataset: MotionDataset, group: str | None = None, read: Read | None = None
) -> CheckTable:
    """Feature columns, noise, history and terminal frames of the AMP states that an environment gives.

    Args:
        env: open, with an articulation called ``robot``; its state is overwritten.
        dataset: what training would compare with.
        group: observation group that AMP states come from; ``None`` for the simulator's own state.
        read: your own code in place of :class:`amp_helpers.amp_state.AmpSource`, with the same columns: every feature
            of the group, in the order of ``FEATURE_DIMS``, joints as in the dataset.
    """
    features = tuple(FEATURE_DIMS) if group is None else _features_of(env, group)
    shared = tuple(name for name in dataset.joint_names if name in env.scene["robot"].joint_names)
    if not shared or "joint_pos" not in features:
        what = f"group '{group}' has no term with mdp.joint_pos_rel" if shared else "they have no joint in common"
        remedy = "add the term, or read the simulator's state (no --amp_group)."
        return CheckTable([Check("feature columns", "fail", what, remedy)])
    state = AmpState(joint_names=shared, features=features)
    try:
        source = state.from_env(env, group)
    except InputError as error:
        problem, _, remedy = str(error).partition(";")
        return CheckTable([Check("feature columns", "fail", problem, f"{remedy.strip()}.")])
    truth = state.from_env(env)
    probe = _Probe(env, dataset.clips()[0], state, read or (lambda done: _newest(source, done)))
    try:
        spread = _spread(probe)
        noise = _noise(probe, spread, source)
        # The terms themselves are read where the group makes noise of them.
        beside = source if noise.verdict != "ok" and read is None else None
        return CheckTable([_columns(probe, beside), noise, _history(probe, spread, group), _terminal(probe, truth)])
    finally:
        truth.detach()
        source.detach()


def _features_of(env: "ManagerBasedRLEnv", group: str) -> tuple[str, ...]:
    there = {term.function for term in observation_terms(env, group) if term.asset == "robot"}
    return tuple(feature for feature in FEATURE_DIMS if there & set(TERM_FUNCTIONS[feature]))


def _newest(source: AmpSource, done: torch.Tensor) -> torch.Tensor:
    return source.step(done)[0][:, -source.state.frame_dim :]


@dataclass(frozen=True, eq=False)
class _Probe:
    """A clip, an environment to put it into, and what is read there."""

    env: "ManagerBasedRLEnv"
    clip: Motion
    state: AmpState
    read: Read

    @property
    def rows(self) -> np.ndarray:
        """The dataset's frames (N, columns)."""
        return self.state.frames(self.clip, default_pose(self.env))

    @property
    def frames(self) -> list[int]:
        """Frames to look at, spread over the clip."""
        return [round(share * (self.clip.num_frames - 1)) for share in (0.1, 0.5, 0.9)]

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [name.removeprefix("t ") for name in self.state.columns[-self.state.frame_dim :]]

    def show(self, frame: int) -> np.ndarray:
        """Put a frame into the simulator, let the environment observe it, and read it, (columns,)."""
        place(self.env, self.clip, frame)
        return self.observe()

    def observe(self) -> np.ndarray:
        """Let the environment observe its present state once more, and read it, (columns,)."""
        self.env.obs_buf = self.env.observation_manager.compute(update_history=True)
        nobody = torch.zeros(self.env.num_envs, dtype=torch.bool, device=self.env.device)
        return self.read(nobody)[0].cpu().numpy().copy()


def _columns(probe: _Probe, beside: AmpSource | None) -> Check:
    worst, where = -1.0, ""
    for frame in probe.frames:
        seen = probe.show(frame)
        if beside is not None:
            seen = beside.terminal_frame()[0].cpu().numpy()
        row = probe.rows[frame]
        if seen.shape != row.shape:
            evidence = f"{len(seen)} columns are read, the dataset has {len(row)}: {', '.join(probe.state.features)}"
            remedy = "read the newest frame of each feature only, as AmpState.from_env does."
            return Check("feature columns", "fail", evidence, remedy)
        column = int(np.abs(seen - row).argmax())
        if abs(seen[column] - row[column]) > worst:
            worst = abs(seen[column] - row[column])
            where = f"{probe.names[column]} at frame {frame}: {row[column]:+.4f} there, {seen[column]:+.4f} here"
    count = f"{len(probe.names)} columns ({', '.join(probe.state.features)}) of the dataset's first clip put into the"
    if worst <= SAME:
        return Check("feature columns", "ok", f"{count} simulator are read back within {worst:.0e}")
    remedy = "map joints by name, subtract the default pose once and undo scales, as AmpState.from_env does."
    if "root_lin_vel" in where:
        remedy = (
            "mdp.base_lin_vel is the velocity of the root link's centre of mass: read the simulator's state instead."
        )
    verdict = "fail" if worst > SMALL else "warn"
    return Check("feature columns", verdict, f"{count} simulator come back {worst:.3f} off, most {where}", remedy)


def _spread(probe: _Probe) -> np.ndarray:
    """How far readings of one state differ, (columns,)."""
    probe.show(probe.frames[0])
    again = np.stack([probe.observe() for _ in range(READINGS)])
    return again.max(axis=0) - again.min(axis=0)


def _noise(probe: _Probe, spread: np.ndarray, source: AmpSource) -> Check:
    column = int(spread.argmax())
    name = probe.names[column] if column < len(probe.names) else f"column {column}"
    told = [caveat.partition(" (")[0] for caveat in getattr(source, "caveats", ()) if "noise" in caveat]
    evidence = f"one state read {READINGS} times differs by at most {spread[column]:.3f}"
    if spread[column] <= SAME and not told:
        return Check("observation noise", "ok", evidence)
    evidence += f", in {name}{'; by its configuration ' + ', '.join(told) if told else ''}"
    remedy = "the discriminator would see it: read the simulator's state, or a group with enable_corruption=False."
    return Check("observation noise", "warn", evidence, remedy)


def _history(probe: _Probe, spread: np.ndarray, group: str | None) -> Check:
    first, _, last = probe.frames
    old, new = probe.rows[first], probe.rows[last]
    for _ in range(20):  # fills any history with the old frame
        probe.show(first)
    seen = probe.show(last)
    if seen.shape != new.shape:
        return Check("observation history", "ok", "not looked at: the columns differ in number")
    moved = np.abs(new - old) > np.maximum(0.05, 2 * spread)
    stale = moved & (np.abs(seen - old) <= np.maximum(SAME, spread))
    if stale.any():
        name = probe.names[int(np.argmax(stale))]
        evidence = f"{stale.sum()} of {moved.sum()} columns that changed still show an older frame, first {name}"
        remedy = (
            "a history is stored oldest frame first: take the last columns of each term, as AmpState.from_env does."
        )
        return Check("observation history", "fail", evidence, remedy)
    kept = {} if group is None else {t.name: t.history for t in observation_terms(probe.env, group) if t.history > 1}
    told = f"; the group keeps {', '.join(f'{n} frames of {name}' for name, n in kept.items())}" if kept else ""
    return Check("observation history", "ok", f"a new state shows at once in all {moved.sum()} columns{told}")


def _terminal(probe: _Probe, truth: AmpSource) -> Check:
    env = probe.env
    probe.show(probe.frames[1])
    nobody = torch.zeros(env.num_envs, dtype=torch.bool, device=env.device)
    truth.step(nobody)
    env.episode_length_buf[0] = env.max_episode_length - 1
    _, _, terminated, truncated, _ = env.step(torch.zeros(env.action_space.shape, device=env.device))
    done = terminated | truncated
    if not bool(done[0]):
        evidence = "an episode went on past its length, so its end could not be looked at"
        return Check("terminal frames", "warn", evidence, "end episodes by a termination term with time_out=True.")
    after = truth.frame()[0].cpu().numpy().copy()
    last = _newest(truth, done)[0].cpu().numpy()
    seen = probe.read(done)[0].cpu().numpy()
    if seen.shape != last.shape:
        return Check("terminal frames", "ok", "not looked at: the columns differ in number")
    right, wrong = (float(np.abs(seen - frame).mean()) for frame in (last, after))
    evidence = f"on the step that ends an episode, what is read is {right:.3f} from its last frame on average and "
    evidence += f"{wrong:.3f} from the first of the next"
    if wrong < right:
        remedy = "take the frame before the reset (amp_state.StepHooks.before_reset), or use AmpState.from_env."
        return Check("terminal frames", "fail", evidence, remedy)
    return Check("terminal frames", "ok", evidence)

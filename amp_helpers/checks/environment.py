"""Checks of a running environment: does it give the discriminator the states that the dataset gives?

A clip is put into the simulator and read back; the result must be the dataset's rows. An episode is ended, and the
frame read then must be its last one and not the first of the next.
"""

from typing import TYPE_CHECKING

import numpy as np

from amp_helpers.checks.table import Outcome, fail, ok, warn

if TYPE_CHECKING:  # the probe loads torch and Isaac Lab
    from amp_helpers.checks.environment_probe import EnvironmentProbe

TOLERANCE = 1e-3
"""Maximum difference that single precision explains, in the columns' units."""

LARGE_DIFFERENCE = 0.1
"""A larger difference, in the columns' units, means another quantity rather than another way of measuring it."""


def feature_columns(probe: "EnvironmentProbe") -> Outcome:
    """Compare frames read from the simulator with the dataset's rows, column by column."""
    noisy = _is_noisy(probe)
    worst, where, feature = -1.0, "", ""
    for frame in probe.frames:
        seen = probe.show_without_noise(frame) if noisy else probe.show(frame)
        row = probe.rows[frame]
        if seen.shape != row.shape:
            evidence = f"{len(seen)} columns are read, the dataset has {len(row)}: {', '.join(probe.state.features)}"
            return fail(evidence, "read the newest frame of each feature only, as AmpState.from_env does.")
        column = int(np.abs(seen - row).argmax())
        if abs(seen[column] - row[column]) > worst:
            worst, feature = abs(seen[column] - row[column]), probe.columns[column]
            where = f"{feature} at {probe.label(frame)}: {row[column]:+.4f} there, {seen[column]:+.4f} here"
    count = f"{len(probe.columns)} columns ({', '.join(probe.state.features)}) of frames of the dataset put into the"
    if worst <= TOLERANCE:
        return ok(f"{count} simulator are read back within {worst:.0e}")
    evidence = f"{count} simulator come back {worst:.3f} off, most {where}"
    remedy = "map joints by name, subtract the default pose once and undo scales, as AmpState.from_env does."
    if "root_lin_vel" in feature:
        remedy = "mdp.base_lin_vel is the velocity of the root's center of mass: read the simulator's state instead."
    return (fail if worst > LARGE_DIFFERENCE else warn)(evidence, remedy)


def observation_noise(probe: "EnvironmentProbe") -> Outcome:
    """Read one state several times, and look for noise in the observation group's configuration."""
    spread, terms = probe.spread, probe.noisy_terms
    column = int(spread.argmax())
    name = probe.columns[column] if column < len(probe.columns) else f"column {column}"
    evidence = f"readings of one state differ by at most {spread[column]:.3f}"
    if not _is_noisy(probe):
        return ok(evidence)
    configured = f"; configured: {', '.join(f'{term} carries noise' for term in terms)}" if terms else ""
    remedy = "the discriminator would see it: read the simulator's state, or a group with enable_corruption=False."
    return warn(f"{evidence}, in {name}{configured}", remedy)


def observation_history(probe: "EnvironmentProbe") -> Outcome:
    """Show an old frame until it fills any history, then a new one, and look for columns that still show the old."""
    first, _, last = probe.frames
    old, new = probe.rows[first], probe.rows[last]
    for _ in range(20):
        probe.show(first)
    seen = probe.show(last)
    if seen.shape != new.shape:
        return ok("not checked: the number of columns differs")
    moved = np.abs(new - old) > np.maximum(0.05, 2 * probe.spread)
    stale = moved & (np.abs(seen - old) <= np.maximum(TOLERANCE, probe.spread))
    if stale.any():
        name = probe.columns[int(np.argmax(stale))]
        evidence = f"{stale.sum()} of {moved.sum()} columns that changed still show an older frame, first {name}"
        remedy = "a history is stored oldest first: take the last columns of each term, as AmpState.from_env does."
        return fail(evidence, remedy)
    kept = ", ".join(f"{count} frames of {name}" for name, count in probe.histories.items())
    return ok(f"a new state shows at once in all {moved.sum()} columns{f'; the group keeps {kept}' if kept else ''}")


def terminal_frames(probe: "EnvironmentProbe") -> Outcome:
    """End an episode and compare the frame read with its last frame and with the first of the next episode."""
    end = probe.end_episode()
    if end is None:
        evidence = "an episode went on past its length, so its end could not be checked"
        return warn(evidence, "end episodes by a termination term with time_out=True.")
    if end.read.shape != end.last.shape:
        return ok("not checked: the number of columns differs")
    right, wrong = (float(np.abs(end.read - frame).mean()) for frame in (end.last, end.next_first))
    evidence = (
        f"on the step that ends an episode, the frame read is {right:.3f} from its last frame on average and "
        f"{wrong:.3f} from the first of the next"
    )
    if wrong < right:
        return fail(
            evidence, "take the frame before the reset (amp_state.StepHooks.before_reset), or use AmpState.from_env."
        )
    return ok(evidence)


def _is_noisy(probe: "EnvironmentProbe") -> bool:
    return bool(probe.noisy_terms) or float(probe.spread.max()) > TOLERANCE

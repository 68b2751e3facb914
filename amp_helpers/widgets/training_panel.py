"""A training run to watch, to read and to stop: one that this notebook started, another process's, an old one.

Everything comes out of the run's folder, so that all three are the same. To train and to watch::

    cfg = TrainCfg(dataset=Path("mine.npz"), run_dir=Path("runs/mine"))
    panel = TrainingPanel(cfg.run_dir)
    display(panel)
    await panel.watch(start_training(cfg))

and for a run that somebody else started, or one that has ended::

    TrainingPanel("runs/2026-01-31_12-00-00")
"""

import asyncio
import contextlib
import html
import io
import math
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets

from amp_helpers.errors import InputError
from amp_helpers.plots.training import training_curves
from amp_helpers.training.background import TrainingProcess
from amp_helpers.training.run_folder import RunLog, Update, read_run, request_stop
from amp_helpers.utils.table import Table

WAITING = "Waiting for the first update."
_WIDE = {"width": "100%", "max_width": "900px"}


def describe_state(run: RunLog) -> str:
    """How far a run is, in one sentence."""
    if not run.updates:
        return f"{run.state}: no update yet"
    count, clock = len(run.updates), f"{run.updates[-1].wall_s:.0f} s"
    return {
        "running": f"running: update {count} of {run.planned or '?'}, {clock} since it started",
        "stopping": f"stopping: {count} updates, {clock}; it ends after the next update and keeps what was learned",
        "ended": f"ended: {count} updates in {clock}",
        "silent": f"silent for {run.silent_s:.0f} s after {count} updates: it seems to have died; "
        "go on from its newest checkpoint with --checkpoint",
    }[run.state]


def values_table(run: RunLog, number: int) -> Table:
    """One update in numbers, and the gait as it was measured last by then.

    Raises:
        InputError: the run has no such update.
    """
    at = {update.health.update: index for index, update in enumerate(run.updates)}
    if number not in at:
        raise InputError(
            f"{run.folder}: update {number} not found; available: {min(at, default=0)} to {max(at, default=0)}"
        )
    chosen = run.updates[: at[number] + 1]
    health, gait = chosen[-1].health, next((u for u in reversed(chosen) if u.gait), None)
    rows: list[tuple[object, ...]] = [
        ("task reward, per second", health.weighted_task),
        ("style reward, per second", health.weighted_style),
        ("style's share of the reward", health.style_share),
        (f"style reward before its weight, of {health.style_reward_limit:.3g}", health.style_reward),
        ("logit of reference windows", health.expert_logit),
        ("logit of policy windows", health.policy_logit),
        ("windows told apart", health.accuracy),
        ("squared slope at the reference (gradient penalty)", health.gradient_penalty),
        ("exploration, standard deviation of actions", health.action_std),
        *_gait_rows(gait),
    ]
    return Table((f"update {number}", ""), rows)


def _gait_rows(measured: Update | None) -> list[tuple[object, ...]]:
    if measured is None or not measured.gait:
        return [("gait in training", "not measured yet")]
    names = {
        "falls_per_env_10s": "falls per environment in 10 s",
        "gait_frequency_ratio": "stride frequency over the clip's",
        "pose_rmse_rad": "poses to the nearest of the clip's, rad",
        "coverage_rmse_rad": "the clip's poses to the nearest, rad",
    }
    numbers = {name: measured.gait.get(name) for name in names}
    at = f" (in training, at update {measured.health.update})"
    return [(names[key] + at, math.nan if value is None else value) for key, value in numbers.items()]


class TrainingPanel(ipywidgets.VBox):
    """Rewards, logits, gait and health of a run; a slider to read any update; a button that ends it and keeps it.

    Args:
        folder: the run's; it may be empty, or not there yet.
        every_s: while watching, draw at most this often, and never for more than a tenth of the time.
    """

    def __init__(self, folder: str | Path, every_s: float = 3.0) -> None:
        self.folder, self._every_s = Path(folder), every_s
        self.run: RunLog | None = None
        """What was read last."""
        self._follower: asyncio.Task[None] | None = None
        self.state = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="28px", **_WIDE))
        self.picture = ipywidgets.Image(format="png", layout=ipywidgets.Layout(**_WIDE))
        self.sentence = ipywidgets.HTML(layout=ipywidgets.Layout(height="52px", **_WIDE))
        self.stop = ipywidgets.Button(description="Stop and keep", icon="stop", tooltip="end after the next update")
        self.reload = ipywidgets.Button(description="Refresh", icon="refresh", tooltip="read the run's folder again")
        self.follow = ipywidgets.Checkbox(
            description="Follow", indent=False, tooltip="read it again every few seconds", layout={"width": "90px"}
        )
        self.chosen = ipywidgets.IntSlider(
            1, 1, 1, description="Update", tooltip="read the numbers of this update", layout={"width": "360px"}
        )
        self.values = ipywidgets.HTML(layout=ipywidgets.Layout(height="380px", overflow="auto", **_WIDE))
        self.messages = ipywidgets.Output()
        buttons = ipywidgets.HBox([self.stop, self.reload, self.follow, self.chosen], layout={"flex_flow": "row wrap"})
        super().__init__([self.state, self.picture, self.sentence, buttons, self.values, self.messages])
        self.stop.on_click(self._guarded(self._stop))
        self.reload.on_click(self._guarded(self.refresh))
        self.follow.observe(self._guarded(self._follow), names="value")
        self.chosen.observe(self._guarded(self._show_values), names="value")
        self.refresh()

    def refresh(self) -> None:
        """Read the folder and show what is there now."""
        run = read_run(self.folder) if self.folder.is_dir() else RunLog(self.folder, (), None, False, 0.0)
        self.run = run
        self.state.value = f'<b aria-live="polite">{html.escape(describe_state(run))}</b>'
        self.stop.disabled = run.state not in ("running", "stopping")
        self.sentence.value = html.escape(run.updates[-1].health.sentence if run.updates else WAITING)
        buffer = io.BytesIO()
        training_curves(run.updates).savefig(buffer, format="png", dpi=90)
        self.picture.value = buffer.getvalue()
        self.chosen.disabled = not run.updates
        if run.updates:
            newest = self.chosen.value == self.chosen.max  # stay at the end, or where the reader put it
            first, last = run.updates[0].health.update, run.updates[-1].health.update
            self.chosen.max = max(last, self.chosen.max)  # never a range the wrong way round on the way
            self.chosen.min, self.chosen.max = first, last
            self.chosen.value = last if newest else self.chosen.value
        self._show_values()

    async def watch(self, process: TrainingProcess | None = None) -> None:
        """Refresh until the run has ended; buttons and sliders answer meanwhile.

        Args:
            process: the one that trains, if this notebook started it: interrupting the cell then ends it as well, and
                what was learned is kept.

        Raises:
            InputError: the process ended in an error.
        """
        due = -math.inf
        try:
            while process.running if process else self.run and self.run.state in ("running", "stopping"):
                if (began := time.monotonic()) >= due:
                    self.refresh()
                    due = began + max(self._every_s, 10 * (time.monotonic() - began))
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            if process:
                request_stop(self.folder)
                process.process.wait()
            raise
        finally:
            self.refresh()
        if process:
            process.check()

    def _show_values(self) -> None:
        if self.run and self.run.updates:
            self.values.value = values_table(self.run, self.chosen.value)._repr_html_()

    def _stop(self) -> None:
        request_stop(self.folder)
        self.refresh()

    def _follow(self) -> None:
        if self.follow.value:
            self._follower = asyncio.get_running_loop().create_task(self._following())
        elif self._follower:
            self._follower.cancel()

    async def _following(self) -> None:
        with self.messages, contextlib.suppress(asyncio.CancelledError):
            await self.watch()
        self.follow.value = False

    def _guarded(self, action: Callable[[], None]) -> Callable[[object], None]:
        # An exception in a callback would end nowhere; in an Output it is on the page, and the runner finds it.
        def callback(_event: object) -> None:
            with self.messages:
                action()

        return callback

"""Monitor of a training run: curves, numbers of each update, and a stop button.

The panel reads the run's folder, so it shows a run of this notebook, of another process, or an old one alike. To train
and watch::

    cfg = TrainCfg(dataset=Path("mine.npz"), run_dir=Path("runs/mine"))
    panel = TrainingPanel(cfg.run_dir)
    display(panel)
    await panel.watch(start_training(cfg))

and for a run that another process started or that has ended::

    TrainingPanel("runs/2026-01-31_12-00-00")
"""

import asyncio
import contextlib
import html
import io
import math
import shlex
import time
from dataclasses import replace
from pathlib import Path

import ipywidgets

from amp_helpers.errors import InputError
from amp_helpers.metrics.names import METRICS
from amp_helpers.plots.panels import save_png
from amp_helpers.plots.training import training_curves
from amp_helpers.training.background import TrainingProcess
from amp_helpers.training.run_folder import SILENT_AFTER_S, RunLog, Update, read_run, request_stop
from amp_helpers.utils.table import Table
from amp_helpers.widgets.notebook_saver import NotebookSaver
from amp_helpers.widgets.panel import Panel, TooltipImage

_WIDE = {"width": "100%", "max_width": "900px"}


def status_text(run: RunLog) -> str:
    """Describe a run's progress in one sentence."""
    compiling = "the simulator may still compile its kernels, which takes minutes the first time on a machine"
    waited = f" for {run.silent_s:.0f} s; {compiling}" if run.silent_s > SILENT_AFTER_S else ""
    if not run.updates:
        return f"{run.state}: no update yet{'' if run.ended else waited}"
    count, elapsed = len(run.updates), f"{run.updates[-1].wall_s:.0f} s"
    go_on = (
        f"--checkpoint {shlex.quote(str(run.folder))}" if run.has_checkpoint else "another run: it left no checkpoint"
    )
    return {
        "running": f"running: update {count} of {run.planned or '?'}, {elapsed} since the start",
        "stopping": f"stopping: {count} updates, {elapsed}; the run ends after the next update and saves its policy",
        "ended": f"ended: {count} updates in {elapsed}",
        "silent": f"silent for {run.silent_s:.0f} s after {count} updates: the process has probably died; go on with "
        f"{go_on}",
    }[run.state]


def update_table(run: RunLog, number: int) -> Table:
    """Tabulate one update's health, and the latest gait metrics up to it.

    Raises:
        InputError: the run has no update of this number.
    """
    index = {update.health.update: index for index, update in enumerate(run.updates)}
    if number not in index:
        raise InputError(
            f"{run.folder}: update {number} not found; available: {min(index, default=0)} to {max(index, default=0)}"
        )
    chosen = run.updates[: index[number] + 1]
    health, gait = chosen[-1].health, next((u for u in reversed(chosen) if u.gait), None)
    rows: list[tuple[object, ...]] = [
        ("task reward, per second", health.weighted_task),
        ("style reward, per second", health.weighted_style),
        ("style share of the reward", health.style_share),
        (f"style reward before its weight, at most {health.style_reward_limit:.3g}", health.style_reward),
        ("reference logit", health.expert_logit),
        ("policy logit", health.policy_logit),
        ("discriminator accuracy", health.accuracy),
        ("squared gradient norm at the reference (gradient penalty)", health.gradient_penalty),
        ("standard deviation of actions", health.action_std),
        *_gait_rows(gait),
    ]
    return Table((f"update {number}", ""), rows)


def _gait_rows(measured: Update | None) -> list[tuple[object, ...]]:
    if measured is None or not measured.gait:
        return [("gait in training", "not yet measured")]
    names = ("falls_per_env_10s", "gait_frequency_ratio", "pose_rmse_rad", "coverage_rmse_rad")
    numbers = {name: measured.gait.get(name) for name in names}
    suffix = f" (in training, at update {measured.health.update})"
    return [(METRICS[key].label + suffix, math.nan if value is None else value) for key, value in numbers.items()]


class TrainingPanel(Panel):
    """Show rewards, logits, gait metrics and health of a run, and the numbers of any update; stop the run.

    Args:
        folder: the run's folder, which may be empty or not exist yet.
        interval_s: shortest time between two refreshes while watching, s; drawing takes at most a tenth of the time.
    """

    def __init__(self, folder: str | Path, interval_s: float = 3.0) -> None:
        super().__init__()
        self.folder, self._interval_s = Path(folder), interval_s
        self.run: RunLog | None = None
        """The run as last read."""
        self._process: TrainingProcess | None = None
        self._follower: asyncio.Task[None] | None = None
        self.status = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="28px", **_WIDE))
        self.curves = TooltipImage(
            format="png",
            tooltip="Rewards, logits, accuracy and the gait of the run, each over its updates",
            layout=ipywidgets.Layout(**_WIDE),
        )
        self.diagnosis = ipywidgets.HTML(layout=ipywidgets.Layout(min_height="52px", **_WIDE))
        self.stop_button = ipywidgets.Button(
            description="Stop and save", icon="stop", tooltip="stop after the next update and save the policy"
        )
        self.refresh_button = ipywidgets.Button(description="Refresh", icon="refresh", tooltip="read the run's folder")
        self.follow = ipywidgets.Checkbox(
            description="Follow",
            indent=False,
            tooltip="read the run's folder every few seconds",
            layout={"width": "90px"},
        )
        self.update_slider = ipywidgets.IntSlider(
            1, 1, 1, description="Update", tooltip="update whose numbers the table shows", layout={"width": "360px"}
        )
        self.table = ipywidgets.HTML(layout=ipywidgets.Layout(height="300px", overflow="auto", **_WIDE))
        buttons = ipywidgets.HBox(
            [self.stop_button, self.refresh_button, self.follow, self.update_slider], layout={"flex_flow": "row wrap"}
        )
        self.saver = NotebookSaver()
        self.start([], [self.status, self.curves, self.diagnosis, buttons, self.table, self.saver])
        self.stop_button.on_click(self.guarded(self._stop))
        self.refresh_button.on_click(self.guarded(self.refresh))
        self.follow.observe(self.guarded(self._follow), names="value")
        self.update_slider.observe(self.guarded(self._show_update), names="value")

    def refresh(self) -> None:
        """Read the folder and show its content."""
        run = read_run(self.folder) if self.folder.is_dir() else RunLog(self.folder, (), None, False, 0.0)
        if self._process and self._process.running:
            run = replace(run, alive=True)
        self.run = run
        self.status.value = f'<b aria-live="polite">{html.escape(status_text(run))}</b>'
        self.stop_button.disabled = run.state not in ("running", "stopping")
        self.diagnosis.value = html.escape(run.progress or "Waiting for the first update.")
        buffer = io.BytesIO()
        save_png(training_curves(run.updates), buffer, 90)
        self.curves.value = buffer.getvalue()
        self.update_slider.disabled = not run.updates
        if run.updates:
            newest = self.update_slider.value == self.update_slider.max  # then it follows the run
            first, last = run.updates[0].health.update, run.updates[-1].health.update
            self.update_slider.max = max(last, self.update_slider.max)  # wide first, since min must never exceed max
            self.update_slider.min, self.update_slider.max = first, last
            self.update_slider.value = last if newest else self.update_slider.value
        self._show_update()

    async def watch(self, process: TrainingProcess | None = None) -> None:
        """Refresh until the run has ended, while buttons and sliders stay responsive.

        The notebook is saved first, so that a page that is closed meanwhile shows the panel when it is opened again.

        Args:
            process: the training process, if this notebook started it. Interrupting the cell then stops the run, which
                saves its policy; the status says so, and the cell ends without an error.

        Raises:
            InputError: the process ended with an error.
        """
        due, self._process, interrupted = -math.inf, process, False
        self.saver.due = True
        try:
            while process.running if process else self.run and self.run.state in ("running", "stopping"):
                if (start := time.monotonic()) >= due:
                    with self.lock:
                        self.refresh()
                    due = start + max(self._interval_s, 10 * (time.monotonic() - start))
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            if not process:
                raise
            interrupted = True
            request_stop(self.folder)
            process.process.wait()
        finally:
            with self.lock:
                self.refresh()
        if interrupted:
            self.status.value += " The cell was interrupted, and the run was stopped."
        self.keep_still()
        if process:
            process.check()

    def _show_update(self) -> None:
        if self.run and self.run.updates:
            table = update_table(self.run, self.update_slider.value)
            self.table.value = f'<div style="line-height:1.3">{table._repr_html_()}</div>'

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

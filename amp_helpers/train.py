"""Train a policy with AMP on an Isaac Lab task: ``python -m amp_helpers.train --num_envs 4096 --headless``."""

import contextlib
import logging
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, run_cli
from amp_helpers.training.cfg import TrainCfg, resolve
from amp_helpers.training.command import parse
from amp_helpers.training.config_file import users_names
from amp_helpers.training.run_folder import CHECKPOINTS, LAST, writing
from amp_helpers.utils.signals import noted_signals
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from amp_helpers.agent.health import Health


def train(cfg: TrainCfg, on_update: Callable[["Health"], None] = lambda health: None, progress: bool = True) -> Path:
    """Train, and leave a run folder behind.

    The folder holds ``config.json``, ``health.jsonl`` (a line an update), ``checkpoints/`` (whole agents),
    ``policy.pt`` (what :mod:`amp_helpers.evaluate` plays) and TensorBoard's events. Ctrl-C, SIGTERM, SIGHUP and
    :func:`amp_helpers.training.request_stop` end it early, before the next step or update, and keep what was learned.

    With ``cfg.checkpoint``, the agent goes on from there. What ``cfg`` changes from that run is printed and recorded
    in ``config.json``; :func:`amp_helpers.training.recorded_cfg` returns the configuration that changes nothing.

    Args:
        cfg: the run.
        on_update: called with the health of each update.
        progress: show a progress bar.

    Returns:
        The run folder.

    Raises:
        InputError: a setting is out of range or does not fit the task, before training starts and before anything is
            written; or training diverges or the disk is full, and what was written before is kept.
    """
    started = time.monotonic()
    # The simulator takes seconds to load, and --help does not need it.
    import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output and skrl would not

    # isort: split
    import torch
    from skrl import logger as skrl_logger
    from skrl.utils import set_seed

    from amp_helpers.checks.preflight import check_task
    from amp_helpers.dataset import MotionDataset
    from amp_helpers.env.quiet_warp import kernels_compiled
    from amp_helpers.training.checkpoints import find_checkpoint
    from amp_helpers.training.loop import training_loop
    from amp_helpers.training.resumption import Resumption
    from amp_helpers.training.run import RunRecorder, TrainingSetup, amp_state, build_agent, open_env

    skrl_logger.setLevel(logging.WARNING)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as Isaac Lab's own scripts allow
    checkpoint = find_checkpoint(cfg.checkpoint) if cfg.checkpoint else None
    cfg = resolve(replace(cfg, checkpoint=checkpoint.file if checkpoint else None))
    assert cfg.run_dir is not None, "resolve() names the folder"
    dataset = MotionDataset.load(cfg.dataset)
    amp_state(cfg, dataset)  # refuses wrong features and joints before the simulator starts
    set_seed(cfg.seed)
    if not kernels_compiled(str(cfg.device)):
        _say("note: the simulator compiles its kernels; the first time on a machine, minutes pass without output")
    with open_env(cfg, dataset) as lab, TrainingSetup.wrap(cfg, dataset, lab) as setup, writing(cfg.run_dir):
        findings = check_task(lab, setup.dataset, setup.state.joint_names, reset=False).findings
        agent = build_agent(setup)
        resumption = Resumption.load(checkpoint, agent, cfg) if checkpoint else None
        notes = [*setup.env.source.caveats, *(f"{found.name}: {found.evidence}; {found.remedy}" for found in findings)]
        for note in (*notes, *(resumption.notes if resumption else ())):
            _say(f"note: {note}")
        facts, updates = (resumption.facts, agent.updates) if resumption else ({}, 0)
        with RunRecorder(setup, started, progress, facts, updates) as recorder, noted_signals() as noted:
            recorder.watch(agent)

            def report(health: "Health") -> None:
                recorder.record(health)
                on_update(health)

            agent.init()
            interrupted = False
            try:
                training_loop(
                    setup.env,
                    agent,
                    cfg.max_iterations,
                    on_update=report,
                    on_checkpoint=recorder.checkpoint,
                    checkpoint_due=recorder.checkpoint_due,
                    should_stop=recorder.should_stop,
                    interrupted=lambda: bool(noted()),
                )
            except KeyboardInterrupt:
                interrupted = True
            agent.writer.close()
            recorder.save(agent)
            if interrupted or noted():
                kept = f"after {agent.updates} updates; they are kept in {cfg.run_dir / CHECKPOINTS / LAST}"
                _say(f"interrupted {kept if agent.updates else 'before the first update; nothing was learned'}")
    return cfg.run_dir


def _say(sentence: str) -> None:
    """Print at once, also into a file; the terminal may be gone."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


def check_single_process() -> None:
    """Raise :class:`InputError` when a launcher such as torchrun started several of this process."""
    world = os.environ.get("WORLD_SIZE", "1")
    if world not in ("", "1"):
        raise InputError(
            f"{world} processes were started (WORLD_SIZE), and training runs in one, on one GPU; start it with "
            "'python -m amp_helpers.train', and choose the GPU with --device cuda:0"
        )


def main() -> int:
    """Train from the command line."""
    from amp_helpers.dataset import MotionDataset

    spin_briefly()
    check_single_process()
    cfg = parse()
    history: list[Health] = []
    folder = train(cfg, on_update=history.append)
    clip = MotionDataset.load(cfg.dataset).middle()
    speed, _ = clip.command or clip.measured_command
    named = {"checkpoint": str(folder)} | users_names(vars(cfg))
    options = " ".join(f"--{key} {shlex.quote(name)}" for key, name in named.items())
    _say(history[-1].sentence if history else "no update was finished")
    _say(f"run: {folder}")
    _say(f"next: python -m amp_helpers.evaluate {options} --velocity {speed:.2f} --output DIR")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))

"""Train a policy with AMP on an Isaac Lab task: ``python -m amp_helpers.train --num_envs 4096 --headless``."""

import logging
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import run_cli
from amp_helpers.training.cfg import TrainCfg, parse, resolve
from amp_helpers.training.run_folder import writing
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from amp_helpers.agent.health import Health


def train(cfg: TrainCfg, on_update: Callable[["Health"], None] = lambda health: None, progress: bool = True) -> Path:
    """Train, and leave a run folder behind.

    The folder holds ``config.json``, ``health.jsonl`` (a line an update), ``checkpoints/`` (whole agents),
    ``policy.pt`` (what :mod:`amp_helpers.evaluate` plays) and TensorBoard's events. Interrupting the run, or
    :func:`amp_helpers.training.request_stop`, ends it early and keeps what was learned.

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
    started = time.time()
    # The simulator takes seconds to load, and --help does not need it.
    import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output and skrl would not

    # isort: split
    import torch
    from skrl import logger as skrl_logger
    from skrl.utils import set_seed

    from amp_helpers.checks.preflight import check_task
    from amp_helpers.dataset import MotionDataset
    from amp_helpers.training.loop import training_loop
    from amp_helpers.training.run import RunRecorder, TrainingSetup, amp_state, build_agent, open_env

    skrl_logger.setLevel(logging.WARNING)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as Isaac Lab's own scripts allow
    cfg = resolve(cfg)
    assert cfg.run_dir is not None, "resolve() names the folder"
    dataset = MotionDataset.load(cfg.dataset)
    amp_state(cfg, dataset)  # refuses wrong features and joints before the simulator starts
    set_seed(cfg.seed)
    with open_env(cfg, dataset) as lab, TrainingSetup.wrap(cfg, dataset, lab) as setup, writing(cfg.run_dir):
        for caveat in setup.env.source.caveats:
            print(f"note: {caveat}")
        for found in check_task(lab, setup.dataset, setup.state.joint_names, reset=False).findings:
            print(f"note: {found.name}: {found.evidence}; {found.remedy}")
        agent = build_agent(setup)
        if cfg.checkpoint:
            agent.load(str(cfg.checkpoint))
        with RunRecorder(setup, started, progress) as recorder:

            def report(health: "Health") -> None:
                recorder.record(health)
                on_update(health)

            agent.init()
            try:
                training_loop(
                    setup.env,
                    agent,
                    cfg.max_iterations,
                    on_update=report,
                    on_checkpoint=recorder.checkpoint,
                    should_stop=recorder.should_stop,
                )
            except KeyboardInterrupt:
                print(f"interrupted after {agent.updates} updates; keeping them")
            agent.writer.close()
            recorder.save(agent)
    return cfg.run_dir


def main() -> int:
    """Train from the command line."""
    from amp_helpers.dataset import MotionDataset

    spin_briefly()
    cfg = parse()
    history: list[Health] = []
    folder = train(cfg, on_update=history.append)
    print(history[-1].sentence if history else "no update was finished")
    print(f"run: {folder}")
    clip = MotionDataset.load(cfg.dataset).middle()
    speed, _ = clip.command or clip.measured_command
    checkpoint = shlex.quote(str(folder))
    print(f"next: python -m amp_helpers.evaluate --checkpoint {checkpoint} --velocity {speed:.2f} --output DIR")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main))

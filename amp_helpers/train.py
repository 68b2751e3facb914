"""Train a policy with AMP on an Isaac Lab task: ``python -m amp_helpers.train --num_envs 4096 --headless``."""

import contextlib
import logging
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from amp_helpers.errors import InputError, run_cli
from amp_helpers.training.cfg import MAX_SEED, TrainCfg
from amp_helpers.training.command import parse
from amp_helpers.training.config_file import users_names
from amp_helpers.training.distributed import SINGLE, Launch, check_agreement, ending_in_time, joined, tell_torchrun
from amp_helpers.training.resolving import resolve
from amp_helpers.training.run_folder import CHECKPOINTS, LAST, read_run, writing
from amp_helpers.utils.signals import noted_signals
from amp_helpers.utils.threads import spin_briefly

if TYPE_CHECKING:
    from amp_helpers.agent.amp_agent import AmpAgent
    from amp_helpers.agent.health import Health
    from amp_helpers.agent.ranks import Ranks
    from amp_helpers.training.checkpoints import Checkpoint
    from amp_helpers.training.recorder import Follower, RunRecorder
    from amp_helpers.training.run import TrainingSetup


def train(
    cfg: TrainCfg,
    on_update: Callable[["Health"], None] = lambda health: None,
    progress: bool = True,
    launch: Launch = SINGLE,
) -> Path:
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
        launch: place of this process among those that train together, see :meth:`.Launch.take`. Only the first writes,
            prints and calls ``on_update``; a run then stops early after an update, not before a step.

    Returns:
        The run folder.

    Raises:
        InputError: a setting is out of range or does not fit the task, before training starts and before anything is
            written; or training diverges, the disk is full or another process of the run ends, and what was written
            before is kept.
    """
    launch.check(cfg.distributed)
    device = launch.device(cfg.device)
    with joined(launch, device) as ranks:
        return _train(replace(cfg, device=device), on_update, progress, ranks)


def _train(cfg: TrainCfg, on_update: Callable[["Health"], None], progress: bool, ranks: "Ranks") -> Path:
    started = time.monotonic()
    # The simulator takes seconds to load, and --help does not need it.
    import amp_helpers.env  # noqa: F401 - first, because it starts Warp without output and skrl would not

    # isort: split
    import torch
    from skrl import logger as skrl_logger
    from skrl.utils import set_seed

    from amp_helpers.dataset import MotionDataset
    from amp_helpers.env.quiet_warp import kernels_compiled
    from amp_helpers.training.memory import check_training
    from amp_helpers.training.recorder import Follower, RunRecorder
    from amp_helpers.training.resumption import Resumption
    from amp_helpers.training.run import TrainingSetup, amp_state, build_agent, open_env
    from amp_helpers.training.task_notes import annealing_note, check_rewarded

    skrl_logger.setLevel(logging.WARNING)
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU that has it, as Isaac Lab's own scripts allow
    cfg, checkpoint = _resolved(cfg, ranks)
    assert cfg.run_dir is not None, "resolve() names the folder"
    say = _say if ranks.first else lambda sentence: None

    def note(sentence: str | None) -> None:
        if sentence:
            say(f"note: {sentence}")

    note(check_training(cfg))
    own_seed = (cfg.seed + ranks.rank) % (MAX_SEED + 1)
    dataset = MotionDataset.load(cfg.dataset)
    amp_state(cfg, dataset)  # refuses wrong features and joints before the simulator starts
    set_seed(own_seed)
    if ranks.size > 1:
        total = ranks.size * (cfg.num_envs or 0)
        note(f"{ranks.size} processes with {cfg.num_envs} environments each, {total} in all")
    if not kernels_compiled(str(cfg.device), cfg.physics):
        note("the simulator compiles its kernels; the first time on a machine, minutes pass without output")
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(open_env(replace(cfg, seed=own_seed), dataset, note=note))
        note(check_rewarded(cfg.agent, bool(lab.reward_manager.active_terms)))
        setup = stack.enter_context(TrainingSetup.wrap(cfg, dataset, lab))
        stack.enter_context(writing(cfg.run_dir))
        notes = _notes(setup)
        agent = build_agent(setup, ranks)
        resumption = Resumption.load(checkpoint, agent, cfg) if checkpoint else None
        for sentence in (*notes, *(resumption.notes if resumption else ())):
            note(sentence)
        note(annealing_note(cfg.agent, agent.updates, cfg.max_iterations))
        facts = resumption.facts if resumption else {}
        if ranks.size > 1:
            facts = {**facts, "processes": ranks.size}
        recorder = RunRecorder(setup, started, progress, facts, agent) if ranks.first else Follower(setup, agent)
        stack.enter_context(recorder)
        interrupted = _learn(setup, agent, recorder, ranks, on_update)
    if interrupted:  # said below the progress bar, which has ended
        kept = f"after {agent.updates} updates; they are kept in {cfg.run_dir / CHECKPOINTS / LAST}"
        say(f"interrupted {kept if agent.updates else 'before the first update; nothing was learned'}")
    return cfg.run_dir


def _resolved(cfg: TrainCfg, ranks: "Ranks") -> tuple[TrainCfg, "Checkpoint | None"]:
    """Resolve a run, in all processes with the checkpoint and the folder that the first of them finds."""
    from amp_helpers.training.checkpoints import find_checkpoint

    checkpoint = find_checkpoint(cfg.checkpoint) if cfg.checkpoint and ranks.first else None
    named = ranks.text(str(checkpoint.file) if checkpoint else "")  # another may see the folder a moment later
    if cfg.checkpoint and named and not checkpoint:
        checkpoint = find_checkpoint(named)
    cfg = resolve(replace(cfg, checkpoint=checkpoint.file) if checkpoint else cfg)
    check_agreement(cfg, ranks)
    return replace(cfg, run_dir=Path(ranks.text(str(cfg.run_dir)))), checkpoint


def _notes(setup: "TrainingSetup") -> list[str]:
    """What a user should know of a task before it is trained on, a sentence each."""
    from amp_helpers.checks.preflight import check_task
    from amp_helpers.training.task_notes import command_notes, recipe_notes, robot_notes

    lab = setup.env.lab
    checked = check_task(lab, setup.dataset, setup.state.joint_names, robot=setup.robot, reset=False)
    return [
        *recipe_notes(setup.cfg, lab.cfg),
        *command_notes(lab.cfg),
        *robot_notes(setup),
        *setup.env.source.caveats,
        *(f"{found.name}: {found.evidence}; {found.remedy}" for found in checked.findings),
    ]


def _learn(
    setup: "TrainingSetup",
    agent: "AmpAgent",
    recorder: "RunRecorder | Follower",
    ranks: "Ranks",
    on_update: Callable[["Health"], None],
) -> bool:
    """Train until the run has all its updates or should stop; return whether a signal to any process interrupted it."""
    from amp_helpers.training.loop import training_loop

    def report(health: "Health") -> None:
        recorder.record(health)
        if ranks.first:
            on_update(health)

    interrupted = False
    with noted_signals(insist=ranks.size == 1) as noted:
        agent.init()
        try:
            training_loop(
                setup.env,
                agent,
                setup.cfg.max_iterations,
                on_update=report,
                on_checkpoint=recorder.checkpoint,
                checkpoint_due=lambda agent: ranks.any(recorder.checkpoint_due(agent)),
                should_stop=lambda: ranks.any(recorder.should_stop() or bool(noted())),
                interrupted=lambda: ranks.size == 1 and bool(noted()),
            )
        except KeyboardInterrupt:
            interrupted = True
        interrupted = ranks.any(interrupted or bool(noted()))
        if ranks.first:
            agent.writer.close()
        recorder.save(agent)
        return interrupted


def _say(sentence: str) -> None:
    """Print at once, also into a file; the terminal may be gone."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)


def main() -> int:
    """Train from the command line."""
    from amp_helpers.dataset import MotionDataset

    spin_briefly()
    launch = Launch.take()
    try:
        with ending_in_time(launch):
            cfg = parse()
            folder = train(cfg, progress=launch.first, launch=launch)
    except InputError as error:
        raise error if launch.size == 1 else InputError(f"process {launch.rank}: {error}") from error
    if not launch.first:
        return 0
    from amp_helpers.env.task_cfg import takes_velocity  # loaded by now

    named = {"checkpoint": str(folder)} | users_names(vars(cfg))
    if takes_velocity(cfg.task):
        clip = MotionDataset.load(cfg.dataset).middle()
        speed, _ = clip.reference_command
        named["velocity"] = f"{speed:.2f}"
    options = " ".join(f"--{key} {shlex.quote(name)}" for key, name in named.items())
    _say(read_run(folder).progress or "no update was finished")
    _say(f"run: {folder}")
    _say(f"next: python -m amp_helpers.evaluate {options} --output DIR")
    return 0


if __name__ == "__main__":
    raise SystemExit(run_cli(main, tell_torchrun))

"""Configuration of a training run, its recipes, and its record."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.errors import sha256
from amp_helpers.utils.resources import DATASETS, present_commit, read_recorded_path, recorded_path
from amp_helpers.utils.task_ids import LOCOMOTION_TASK, OWN_TASKS, STYLE_TASK, TASK

if TYPE_CHECKING:
    from amp_helpers.dataset import MotionDataset

REFINED_DATASET = DATASETS / "g1_walk_refined.npz"
"""The demo walk with its feet held on the ground, so that its steps cover the distance that its root covers."""

Recipe = Literal["walk", "locomotion", "style", "published"]
Frontend = Literal["auto", "warp", "torch"]
Logger = Literal["tensorboard", "wandb"]


@dataclass(frozen=True, kw_only=True)
class TaskDefaults:
    """Settings of a run that depend on its task, where none is given."""

    reference_share: float = 0.0
    velocity_range: tuple[float, float] | None = None


TASK_DEFAULTS = dict.fromkeys(OWN_TASKS, TaskDefaults(reference_share=0.7)) | {
    TASK: TaskDefaults(reference_share=0.7, velocity_range=(0.4, 1.1)),
}
"""This project's tasks, by their bare IDs; any other task has the defaults of :class:`TaskDefaults`."""


@dataclass(frozen=True, kw_only=True)
class TrainCfg:
    """A training run; the defaults are the recipe walk."""

    dataset: Path = Path("datasets/g1_walk_refined.npz")
    """Dataset to imitate, written by python -m amp_helpers.convert; datasets/... also finds the demo datasets."""
    task: str = TASK
    """Registered manager-based task; package.module:ID imports your own first."""
    asset: str | None = None
    """Name of the robot's articulation in the task's scene; by default robot, or the only articulation."""
    num_envs: int | None = None
    """Environments simulated side by side, with --distributed by each process; by default 4096 on a GPU and 16 on a
    CPU."""
    device: str | None = None
    """cpu or cuda:0; by default the first GPU, or the CPU where there is none."""
    physics: str | None = None
    """Physics preset of the task, such as newton_mjwarp; by default the task's own."""
    frontend: Frontend = "auto"
    """Control step of the environment: warp is recorded once on a GPU and replayed; torch is Isaac Lab's own, launched
    from Python; auto is warp on a GPU where every term of the task can be recorded, else torch."""
    seed: int = 0
    """Random seed."""
    distributed: bool = False
    """Train in the processes that torchrun started, each with --num_envs environments on a GPU of its own."""
    max_iterations: int = 450
    """Updates of this run, which with --checkpoint come on top of those made; each follows a rollout of --rollouts
    control steps."""
    max_seconds: float | None = None
    """Stop after this much wall-clock time, s, whatever the number of updates."""
    checkpoint: Path | None = None
    """Whole checkpoint to go on from, RUN/checkpoints/agent_*.pt, or RUN for its newest whole one. On the command line,
    the settings of its run take the place of the recipe."""
    checkpoint_interval: int = 100
    """Updates between two numbered checkpoints, checkpoints/agent_*.pt, which stay."""
    checkpoint_seconds: float = 60.0
    """Longest time between two checkpoints, s; those between two numbered ones renew agent_last.pt."""
    keep_checkpoints: int | None = None
    """Numbered checkpoints that stay, the newest; by default all."""
    run_dir: Path | None = None
    """Folder of the run; by default a new one under runs/ in the current folder."""
    logger: Logger = "tensorboard"
    """Where the figures of each update go."""

    features: tuple[str, ...] = (
        "joint_pos",
        "joint_vel",
        "root_height",
        "projected_gravity",
        "root_lin_vel",
        "root_ang_vel",
    )
    """Features that the discriminator sees: joint_pos, joint_vel, root_height, projected_gravity, root_lin_vel or
    root_ang_vel."""
    window: int = 6
    """Frames in an AMP window."""
    stride: int = 2
    """Control steps between two frames of a window."""
    robot: str | None = None
    """Robot whose feet --drop_joints feet means and evaluation watches: a name, your MJCF or URDF, or
    package.module:NAME."""
    feet: tuple[str, ...] = ()
    """Links that are the feet of a robot named by its file; by default those lowest in its default pose. With
    --checkpoint, no link takes back those of its run."""
    drop_joints: tuple[str, ...] = ("still",)
    """Joints that the discriminator does not see: feet, still (those that do not move in the dataset), or regular
    expressions."""
    amp_group: str | None = None
    """Observation group to read AMP states from; by default they come from the simulator."""
    reference_share: float | None = None
    """Share of episodes that start in a reference state; by default 0.7 on this project's tasks and 0 on others."""
    condition_on_command: bool = False
    """Show the discriminator the velocity command of the task too: a window then counts as real only where a clip
    follows that command."""
    match_commands: bool = True
    """Compare each window with a clip for the same command; otherwise with any clip and its own command."""
    symmetry: bool = False
    """Make the policy symmetric: the mirror image of a situation gets the mirror image of the action."""
    randomize: tuple[str, ...] | None = None
    """What the task randomizes: any of friction, mass, center_of_mass, gains, joint_offsets, push and latency; by
    default everything that it can."""
    velocity_range: tuple[float, float] | None = None
    """Lowest and highest commanded speed, m/s; by default 0.4 to 1.1 on Isaac-AMP-Velocity-Flat-G1, and the
    task's own on others. On Isaac-AMP-Locomotion-Flat-G1, a range without speeds below 0.1 leaves out standing and
    turning on the spot."""

    agent: AmpAgentCfg = field(default_factory=AmpAgentCfg)


RECIPES: dict[Recipe, TrainCfg] = {
    "walk": TrainCfg(),
    "locomotion": TrainCfg(
        dataset=Path("datasets/g1_locomotion.npz"),
        task=LOCOMOTION_TASK,
        max_iterations=1600,
        condition_on_command=True,
        symmetry=True,
        agent=AmpAgentCfg(
            task_weight=2.0,
            style_weight=10.0,
            kl_threshold=0.02,
            final_kl_threshold=0.002,
            final_kl_updates=(1150, 1600),
            final_std_updates=600,
        ),
    ),
    "style": TrainCfg(
        dataset=Path("datasets/g1_dance.npz"),
        task=STYLE_TASK,
        max_iterations=1000,
        agent=AmpAgentCfg(task_weight=0.0),
    ),
    "published": TrainCfg(
        dataset=Path("datasets/g1_walk.npz"),
        features=("joint_pos",),
        window=2,
        stride=1,
        drop_joints=(),
        reference_share=0.0,
        agent=AmpAgentCfg(
            task_weight=0.9,
            style_weight=5.0,
            discriminator_loss="bce",
            discriminator_learning_rate=1e-4,
            discriminator_epochs=5,
            discriminator_noise=0.0,
            final_std=0.0,
        ),
    ),
}
"""What ``--recipe`` stands for. ``walk`` imitates one walk; ``locomotion`` obeys commands; ``style`` has no command and
no task reward. ``published`` is the recipe that this project started from: joint positions of two frames, task 0.9 and
style 0.1. It counts the style per step, and 0.1 at 50 Hz is 5 per second. Its gradient penalty is skrl's 5, which has
no factor 1/2, hence 10 here."""

MAX_SEED = 2**32 - 1  # NumPy's limit


def options(cfg: TrainCfg) -> dict[str, Any]:
    """All settings of a run by name, the agent's among them; options of the command line have the same names."""
    return {
        field.name: getattr(holder, field.name)
        for holder in (cfg, cfg.agent)
        for field in fields(holder)
        if field.name != "agent"
    }


def recorded_options(cfg: TrainCfg) -> dict[str, Any]:
    """Settings as ``config.json`` has them: all but the folder of the run, the checkpoint before it, and the launch."""
    settings = options(cfg) | {"dataset": recorded_path(cfg.dataset)}
    del settings["run_dir"], settings["checkpoint"], settings["distributed"]
    return settings


def recorded_cfg(config: Mapping[str, Any]) -> TrainCfg:
    """The settings that a ``config.json`` records; what it does not state is at its default.

    Args:
        config: the content, each setting of its type.
    """
    stated = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}

    def given(holder: type) -> dict[str, Any]:
        return {field.name: stated[field.name] for field in fields(holder) if field.name in stated}

    run = given(TrainCfg) | {"agent": AmpAgentCfg(**given(AmpAgentCfg)), "checkpoint": None, "run_dir": None}
    if "dataset" in run:
        run["dataset"] = read_recorded_path(run["dataset"])
    return TrainCfg(**run)


def file_digest(path: Path) -> str:
    """The first digits of the SHA-256 of a file, enough to tell two of the same name apart."""
    return sha256(path)[:16]


def run_config(cfg: TrainCfg, state: dict[str, Any], dataset: "MotionDataset") -> dict[str, Any]:
    """Return the content of ``config.json``: what it takes to train the same again, in one flat dictionary."""
    return recorded_options(cfg) | {
        "amp_state": state,
        "joint_names": list(dataset.joint_names),
        "dataset_sources": list(dataset.source),
        "dataset_sha256": list(dataset.sha256),
        "dataset_digest": file_digest(cfg.dataset),
        "commit": present_commit(),
    }

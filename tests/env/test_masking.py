"""What a step by mask is made of, on stand-ins: no simulator starts."""

import datetime
import logging
import sys
import time
import timeit
from time import monotonic
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.host_work import HostWork, no_host_work
from amp_helpers.env.masking import MaskedEnv, NoMaskError, in_place, keep_unmasked

MASK = torch.tensor([True, False, True])


def test_rows_outside_the_mask_are_restored():
    """Of tensors changed in place, replaced, or in a dictionary; others are left alone."""
    owner = SimpleNamespace(a=torch.zeros(3), b=torch.zeros(3, 2), parts={"c": torch.zeros(3)}, other=torch.zeros(5))

    def change() -> str:
        owner.a += 1
        owner.b = torch.ones(3, 2)
        owner.parts["c"][:] = 1
        owner.other += 1
        return "done"

    held = owner.a
    assert keep_unmasked(owner, MASK, change) == "done"
    assert held is owner.a
    assert owner.a.tolist() == owner.parts["c"].tolist() == owner.b[:, 0].tolist() == [1, 0, 1]
    assert owner.other.tolist() == [1] * 5


def test_replaced_tensors_are_written_into():
    """What a recording reads next time is at the same place; tensors that share memory are left alone."""
    kept, other, shared = torch.zeros(3), torch.ones(3), torch.zeros(3)
    owner = SimpleNamespace(previous=kept, a=kept.clone(), b=other, rest=shared, targets=shared, none=None)

    def step() -> None:
        owner.previous = owner.previous + 1
        owner.a, owner.b = owner.b, owner.a
        owner.targets = torch.ones(3)
        owner.none = torch.ones(3)

    in_place([owner], step)
    in_place([owner], step)
    assert owner.previous is kept and kept.tolist() == [2] * 3
    assert owner.b is other and owner.a.tolist() == [0] * 3 and other.tolist() == [1] * 3
    assert owner.rest.tolist() == [0] * 3 and owner.targets.tolist() == [1] * 3


class Asset:
    num_joints = num_bodies = 4

    def __init__(self) -> None:
        self.written = {}

    def write_pose_to_sim_index(self, **arguments) -> None: ...

    def write_pose_to_sim_mask(self, **arguments) -> None:
        self.written = arguments

    def write_state_to_sim(self, **arguments) -> None: ...


def test_writes_to_the_simulator_reach_the_mask_alone():
    asset = Asset()
    env = MaskedEnv(SimpleNamespace(scene={"robot": asset, "other": 3}, num_envs=3), MASK)
    robot = env.scene["robot"]
    robot.write_pose_to_sim_index(pose=1, env_ids=torch.arange(3), joint_ids=slice(None))
    assert asset.written == {"pose": 1, "env_mask": MASK}
    assert (robot.num_joints, env.num_envs, env.scene["other"]) == (4, 3, 3)
    with pytest.raises(NoMaskError, match="for a part of the environments"):
        robot.write_pose_to_sim_index(pose=1, env_ids=torch.arange(2))
    robot.write_pose_to_sim_index(pose=torch.ones(3, 2), joint_ids=torch.tensor([3, 1]))
    assert asset.written["pose"].tolist() == [[0, 1, 0, 1]] * 3
    assert asset.written["joint_mask"].tolist() == [False, True, False, True]
    with pytest.raises(NoMaskError, match="with a list of joint_ids"):
        robot.write_pose_to_sim_index(pose=1, joint_ids=[0])
    with pytest.raises(NoMaskError, match="sets 'kicks' of the environment"):
        env.kicks = 1
    for name in ("write_state_to_sim", "actuators"):
        with pytest.raises(NoMaskError, match="cannot be done by mask"):
            getattr(robot, name)


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: 1 if x.any() else 2,
        lambda x: x.masked_select(x > 0),
        lambda x: x.__setitem__(x > 0, x),
    ],
)
def test_what_the_host_waits_for_is_found(waits):
    with pytest.raises(HostWork), no_host_work():
        waits(torch.ones(3))


@pytest.mark.parametrize(
    ("reads", "name"),
    [
        (lambda: time.time(), "time.time"),
        (monotonic, "time.monotonic"),
        (timeit.default_timer, "time.perf_counter"),
        (lambda: datetime.datetime.now(datetime.UTC), "datetime.now"),
        (lambda: datetime.date.today(), "date.today"),
    ],
)
def test_a_clock_that_a_users_code_reads_is_found_under_any_name(reads, name):
    with pytest.raises(HostWork, match=rf"^calls {name}\(\), which a recording does not call again"), no_host_work():
        reads()


def test_a_clock_that_a_library_reads_is_none_of_the_users(caplog):
    with no_host_work():
        logging.getLogger(__name__).warning("with the time")
    assert caplog.records


def test_a_profiler_goes_on_afterwards():
    def profiler(*_) -> None: ...

    sys.setprofile(profiler)
    try:
        with no_host_work():
            pass
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


def test_what_a_recording_may_contain():
    x = torch.ones(3, 2)
    with no_host_work():
        x[:, 0] = 0.0
        x[torch.arange(2)] += 1
        chosen = torch.where(x > 1, x, -x).masked_fill_(x < 1, 5.0)
        drawn = torch.rand_like(x).clamp(min=x).norm(dim=1)
    assert x.tolist() == [[1, 2], [1, 2], [0, 1]] and chosen.tolist() == [[-1, 2], [-1, 2], [5, -1]]
    assert (drawn >= x.norm(dim=1)).all(), "and what it says is done"

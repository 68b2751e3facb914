"""A task is what is registered, however the command line names it."""

import sys
from dataclasses import replace

import gymnasium
import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

from amp_helpers.env.registration import canonical_task
from amp_helpers.errors import InputError
from amp_helpers.training.cfg import RECIPES, TASK_DEFAULTS, TrainCfg
from amp_helpers.training.resolving import resolve
from amp_helpers.utils.task_ids import OWN_TASKS, TASK

ALIASES = """
import gymnasium
from isaaclab.utils import configclass
from amp_helpers.env.task import G1AmpEnvCfg

@configclass
class Slower(G1AmpEnvCfg):
    episode_length_s: float = 10.0

def register(name, cfg, entry_point="isaaclab.envs:ManagerBasedRLEnv"):
    gymnasium.register(name, entry_point=entry_point, kwargs={"env_cfg_entry_point": cfg})

register("Mine-By-Name", "amp_helpers.env.task:G1AmpEnvCfg")
register("Mine-By-Class", G1AmpEnvCfg)
register("Mine-Slower", Slower)
register("Mine-Other-Env", G1AmpEnvCfg, "my_aliases:Env")
"""


@pytest.fixture(scope="module")
def aliases(tmp_path_factory):
    """A user's module that registers this project's configuration under other names, and others like it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "my_aliases.py").write_text(ALIASES)
    sys.path.insert(0, str(folder))
    yield "my_aliases"
    sys.path.remove(str(folder))


@pytest.mark.parametrize("name", [TASK, f"amp_helpers.env.task:{TASK}", "{}:Mine-By-Name", "{}:Mine-By-Class"])
def test_every_name_of_this_projects_task_trains_the_same(aliases, tmp_path, name):
    run = {"device": "cpu", "run_dir": tmp_path / "run"}
    assert resolve(TrainCfg(task=name.format(aliases), **run)) == resolve(TrainCfg(**run))
    published = replace(RECIPES["published"], **run)
    assert resolve(replace(published, task=name.format(aliases))) == resolve(published)


@pytest.mark.parametrize("name", ["{}:Mine-Slower", "{}:Mine-Other-Env", "Isaac-Cartpole"])
def test_another_task_keeps_its_own_resets_and_commands(aliases, tmp_path, name):
    cfg = resolve(TrainCfg(task=name.format(aliases), device="cpu", run_dir=tmp_path / "run"))
    assert (cfg.task, cfg.reference_share, cfg.velocity_range) == (name.format(aliases), 0.0, None)


def test_a_name_that_nothing_registers_is_refused(aliases):
    told = f"'Mine' not found; close to it: Mine-.*; module '{aliases}' does not register it; choose another, or call "
    with pytest.raises(InputError, match=told + r"gymnasium\.register\(id='Mine', \.\.\.\) there$"):
        canonical_task(f"{aliases}:Mine")
    gymnasium.register(id="Mine", entry_point="isaaclab.envs:ManagerBasedRLEnv")
    assert canonical_task(f"{aliases}:Mine") == f"{aliases}:Mine"
    del gymnasium.registry["Mine"]
    with pytest.raises(InputError, match=f"close to it: {TASK}, .*; name one of your own as package.module:ID"):
        canonical_task(f"{TASK}-v0")


def test_each_of_this_projects_tasks_is_registered_by_the_module_that_is_named_with_it():
    """And one more would be known to the memory check and to training, which have no list of their own."""
    assert {canonical_task(f"{module}:{task}") for task, module in OWN_TASKS.items()} == set(OWN_TASKS)
    assert set(TASK_DEFAULTS) == set(OWN_TASKS)
    assert {gymnasium.spec(task).kwargs["env_cfg_entry_point"].split(":")[0] for task in OWN_TASKS} == set(
        OWN_TASKS.values()
    )

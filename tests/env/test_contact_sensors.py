"""Contact sensors that find no link, or get no contacts, are named before a simulator starts."""

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")

import isaaclab.sim as sim_utils
from isaaclab.assets import ArticulationCfg
from isaaclab.sensors import ContactSensorCfg
from isaaclab_newton.physics import NewtonCfg
from isaaclab_ov.physics import OvPhysxCfg
from pxr import Sdf, Usd, UsdPhysics

from amp_helpers.env.contact_sensors import check_contact_sensors
from amp_helpers.errors import InputError


@pytest.fixture
def dog(tmp_path):
    """A USD file of a body with two calves, the second below a thigh."""
    stage: Any = Usd.Stage.CreateNew(str(tmp_path / "dog.usda"))
    stage.SetDefaultPrim(stage.DefinePrim("/dog", "Xform"))
    for link in ("/dog/trunk", "/dog/trunk/left_calf", "/dog/trunk/right_thigh/right_calf"):
        UsdPhysics.RigidBodyAPI.Apply(stage.DefinePrim(link, "Xform"))
    stage.Save()
    return stage


def task(stage, pattern: str, physics=None, contacts: bool = True, **spawn):
    """A task whose sensor of the robot has this pattern."""
    usd = sim_utils.UsdFileCfg(usd_path=stage.GetRootLayer().realPath, activate_contact_sensors=contacts, **spawn)
    robot = ArticulationCfg(prim_path="{ENV_REGEX_NS}/Robot", spawn=usd, actuators={})
    feet = ContactSensorCfg(prim_path=pattern)
    scene = SimpleNamespace(num_envs=1, feet=feet, robot=robot, unused=None)
    return SimpleNamespace(scene=scene, sim=SimpleNamespace(physics=physics or NewtonCfg()))


@pytest.mark.parametrize("physics", [NewtonCfg(), OvPhysxCfg()], ids=["newton", "physx"])
@pytest.mark.parametrize("pattern", [".*_calf", "trunk/left_calf", "trunk/.*/.*calf", ".*"])
def test_a_sensor_of_links_that_the_robot_has_is_taken(dog, pattern, physics):
    check_contact_sensors(task(dog, f"{{ENV_REGEX_NS}}/Robot/{pattern}", physics), "Dog")


@pytest.mark.parametrize("pattern", ["right_calf", "[^/]*calf", "[^/]*"])
def test_newton_compares_whole_paths_and_physx_names(tmp_path, dog, pattern):
    """``[^/]*`` is Isaac Lab's own, for robots whose links lie side by side in the file."""
    dog.RemovePrim("/dog/trunk/left_calf")
    for link in ("/dog/trunk", "/dog/trunk/right_thigh"):
        dog.GetPrimAtPath(link).RemoveAPI(UsdPhysics.RigidBodyAPI)
    dog.Save()
    sensor = f"{{ENV_REGEX_NS}}/Robot/{pattern}"
    check_contact_sensors(task(dog, sensor, OvPhysxCfg()), "Dog")
    with pytest.raises(InputError, match="finds no link of 'robot', whose links are right_calf; correct its prim_path"):
        check_contact_sensors(task(dog, sensor), "Dog")


def test_a_sensor_of_links_that_the_robot_lacks_is_refused_with_their_names(dog):
    with pytest.raises(InputError, match=r"'Dog': .*'feet' .*_foot\) finds no link of 'robot', ") as refused:
        check_contact_sensors(task(dog, "{ENV_REGEX_NS}/Robot/.*_foot"), "Dog")
    assert str(refused.value).endswith(
        "whose links are trunk, left_calf, right_calf; correct its prim_path: {ENV_REGEX_NS}/Robot/.* finds all of "
        "them, and [^/]* on Newton those of one level of the file alone"
    )


def test_physx_has_to_be_told_to_report_contacts(dog):
    """In the configuration or in the file; Newton needs no telling."""
    calves = "{ENV_REGEX_NS}/Robot/.*_calf"
    silent = task(dog, calves, physics=OvPhysxCfg(), contacts=False)
    with pytest.raises(InputError, match="set activate_contact_sensors=True in the spawn of 'robot'"):
        check_contact_sensors(silent, "Dog")
    check_contact_sensors(task(dog, calves, physics=OvPhysxCfg()), "Dog")
    check_contact_sensors(task(dog, calves, contacts=False), "Dog")
    schemas = Sdf.TokenListOp.Create(prependedItems=["PhysicsRigidBodyAPI", "PhysxContactReportAPI"])
    dog.GetPrimAtPath("/dog/trunk/left_calf").SetMetadata("apiSchemas", schemas)
    dog.Save()
    check_contact_sensors(silent, "Dog")


@pytest.mark.parametrize("pattern", ["{ENV_REGEX_NS}/Ball", "{ENV_REGEX_NS}/Robot2/.*_foot"])
def test_what_is_not_known_is_left_to_the_simulator(dog, pattern):
    """Another asset, a file that is elsewhere, and links that depend on a variant."""
    check_contact_sensors(task(dog, pattern), "Dog")
    check_contact_sensors(task(dog, "{ENV_REGEX_NS}/Robot/.*_foot", variants={"feet": "with"}), "Dog")
    remote = task(dog, "{ENV_REGEX_NS}/Robot/.*_foot")
    remote.scene.robot.spawn.usd_path = "https://example.org/dog.usd"
    check_contact_sensors(remote, "Dog")

"""The page to drive a robot in, in a real browser, from a disk: the robot walks and obeys, and agrees with Python."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from support import PATIENCE_S

pytest.importorskip("isaaclab", reason="Isaac Lab is not installed; pip install -e '.[sim]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install -e '.[deploy]'")

from small_bundle import facts, write

from amp_helpers.deploy.bundles import find_bundle
from amp_helpers.deploy.controller import Controller
from amp_helpers.deploy.mujoco_sim import MujocoSim
from amp_helpers.errors import InputError
from amp_helpers.robots.robot import G1_23DOF
from amp_helpers.web.packages import library_files
from amp_helpers.web.page import write_page

pytestmark = [pytest.mark.browser, pytest.mark.sim]

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
COMMANDS = ((1.0, 0.0), (1.4, 0.5), (0.0, 0.0), (5.0, -0.3))


@pytest.fixture(scope="module")
def bundle() -> Path:
    return find_bundle("g1_locomotion")


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    try:
        library_files()
    except InputError as error:
        pytest.skip(f"the page's libraries are not to be had: {error}")
    made = write_page(["g1_locomotion", "g1_dance"], tmp_path_factory.mktemp("page") / "drive.html")
    assert made.megabytes < 25
    return made.path.as_uri()


def elsewhere(url: str) -> bool:
    return not url.startswith(("file:", "blob:", "data:"))


@pytest.fixture
def visit(browser, address):
    """A function that opens the page with a query in a context of its own, and waits until it is ready."""
    contexts = []
    wrong: list[str] = []

    def visit(query: str = "", address: str = address, **options) -> Page:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE_S * 1000)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: elsewhere(asked.url) and wrong.append(asked.url))
        page.goto(f"{address}{query}")
        expect(page.locator("body")).to_have_attribute("data-state", "ready", timeout=PATIENCE_S * 1000)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == [], "errors in the page, or requests to elsewhere"


def number(page: Page, name: str) -> float:
    """The number that the status shows first."""
    return float(
        page.locator(f"#status-{name}").inner_text().split()[0].rstrip("×°").replace("−", "-").replace("–", "nan")
    )


def simulate(page: Page, seconds: float) -> None:
    """Wait until the robot has lived for some seconds of its own time."""
    page.wait_for_function("seconds => window.drive.measures.time > seconds", arg=seconds, timeout=PATIENCE_S * 1000)


def test_from_a_disk_the_robot_walks_for_ten_seconds_in_real_time_and_is_driven_by_keys(visit):
    page = visit("?policy=g1_locomotion&forward=1.0", **DESKTOP)
    expect(page.get_by_label("Forward", exact=True)).to_have_value("1")
    before = page.locator("#view").screenshot()
    simulate(page, 10)
    page.wait_for_timeout(300)  # for the status
    assert number(page, "moved") > 7 and number(page, "falls") == 0 and 0.7 < number(page, "speed") < 1.2
    assert 0.8 < number(page, "gait") < 1.3, "Hz"
    assert page.locator("#view").screenshot() != before
    possible = 1000 * 0.02 / page.evaluate("drive.stepMs")
    assert possible > 1, "physics and policy in real time"

    page.keyboard.press(" ")
    expect(page.get_by_label("Forward", exact=True)).to_have_value("0")
    page.keyboard.press("w")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Forward", exact=True)).to_have_value("0.2")
    page.keyboard.down("a")
    page.wait_for_function("Number(document.getElementById('turn').value) > 0.3")
    page.keyboard.up("a")
    expect(page.get_by_label("Turn left")).to_have_value("0")
    page.keyboard.press("p")
    expect(page.locator("#news")).to_contain_text("Pushed")
    page.keyboard.press("r")
    page.wait_for_function("drive.measures.time < 3")
    page.get_by_label("Forward", exact=True).focus()  # arrow keys move a slider that has the focus
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Forward", exact=True)).to_have_value("0.21")
    outline = page.get_by_label("Forward", exact=True).evaluate("node => getComputedStyle(node).outlineStyle")
    assert outline == "solid", "keyboard focus is visible"
    page.get_by_role("button", name="Push").click()  # by mouse: keys drive on
    page.keyboard.press(" ")
    expect(page.get_by_label("Forward", exact=True)).to_have_value("0")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(300)
    stopped = page.evaluate("drive.measures.time")
    page.wait_for_timeout(300)
    assert page.evaluate("drive.measures.time") == stopped
    page.locator("#about summary").click()
    expect(page.locator("#licenses")).to_contain_text("Unitree Robotics")


def test_the_turn_slider_gives_way_to_the_speed(visit):
    page = visit("?policy=g1_locomotion&turn=1", **DESKTOP)
    forward, turn = page.get_by_label("Forward", exact=True), page.get_by_label("Turn left")
    expect(turn).to_have_value("1")
    forward.fill("2.6")
    expect(turn).to_have_value("0.46")
    turn.fill("-1")
    expect(turn).to_have_value("-0.46")
    expect(forward).to_have_value("2.6")
    expect(page.locator("#status-command")).to_have_text("2.60 m/s, −0.46 rad/s")
    forward.fill("2")
    expect(turn).to_have_value("-0.6")
    page.evaluate("document.activeElement.blur()")
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    expect(forward).to_have_value("1")
    expect(turn).to_have_value("-1")  # all that was wished
    forward.fill("2.6")
    page.get_by_role("button", name="Stop").click()
    expect(turn).to_have_value("0")
    expect(page.locator("#status-command")).to_have_text("0.00 m/s, 0.00 rad/s")


def test_on_a_phone_a_thumb_drives_and_nothing_is_cut_off(visit):
    page = visit(**PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pad = page.locator("#pad").bounding_box()
    assert pad is not None
    touch = page.context.new_cdp_session(page)

    def finger(kind: str, *points: tuple[float, float]) -> None:
        spots = [{"x": pad["x"] + x * pad["width"], "y": pad["y"] + y * pad["height"]} for x, y in points]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})

    finger("touchStart", (0.5, 0.4))
    finger("touchMove", (0.4, 0.3))
    forward, turn = page.evaluate("[drive.controls.command[0], drive.controls.command[2]]")
    assert forward > 0.5 and turn > 0.1, "up is forward, left is left"
    simulate(page, 4)
    assert page.evaluate("drive.measures.speed") > 0.3
    finger("touchEnd")
    page.wait_for_function("drive.controls.command.every(value => value === 0)")


HOPPER = """
<mujoco>
  <worldbody>
    <body name="trunk" pos="0 0 1">
      <freejoint/>
      <geom type="box" size=".1 .1 .1" mass="4"/>
      <body name="thigh" pos="0 0 -.1">
        <joint name="hip" axis="0 1 0" range="-60 60"/>
        <geom type="capsule" size=".03" fromto="0 0 -.05 0 0 -.2" mass="1"/>
        <body name="foot" pos="0 0 -.25">
          <joint name="knee" axis="0 1 0" range="-60 60"/>
          <geom type="box" size=".15 .15 .02" pos="0 0 -.03" mass="2"/>
        </body>
      </body>
    </body>
  </worldbody>
</mujoco>
"""


def test_a_robot_of_your_own_that_cannot_stand_is_driven_too(visit, tmp_path):
    robot, folder = tmp_path / "hopper.xml", tmp_path / "hopping"
    robot.write_text(HOPPER)
    folder.mkdir()
    gains = {"stiffness": [200.0, 300.0], "damping": [10.0, 15.0], "effort_limit": [40.0, 50.0]}
    pose = {"default_joint_pos": [0.0, 0.0], "joint_limits": None, "commands": {"forward": [0.5, 1.0], "turn": [0, 0]}}
    write(folder, facts(**gains, **pose), action=0.0, pose=(0.0, 0.0))
    made = write_page([folder], tmp_path / "drive.html", robot=str(robot))
    page = visit(address=made.path.as_uri(), **PHONE)
    simulate(page, 0.5)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#news")).to_have_text("This policy was not trained to stand: its slowest is 0.5 m/s.")


@pytest.fixture(scope="module")
def recorded(bundle) -> dict:
    """A walk in Python: what the controller was given, what it observed and returned, and where the robot was."""
    controller = Controller(bundle)
    simulation = MujocoSim(controller, G1_23DOF)
    controller.start()
    rows: dict = {name: [] for name in ("sensors", "observed", "targets", "state")}
    for step in range(240):
        forward, turn = COMMANDS[step // 60]
        sensors = {name: np.asarray(value).tolist() for name, value in vars(simulation.sense()).items()}
        sensors["command"] = [forward, 0.0, turn]
        targets = controller.step(**sensors)
        simulation.advance(targets)
        rows["sensors"].append(sensors)
        for name, values in (("observed", controller.observed), ("targets", targets), ("state", simulation.data.qpos)):
            rows[name].append(values.tolist())
    return rows


def test_a_policy_without_a_command_dances_and_nothing_offers_to_steer_it(visit):
    page = visit("?policy=g1_dance", **PHONE)
    simulate(page, 5)
    page.wait_for_timeout(300)  # for the status
    assert number(page, "falls") == 0 and number(page, "moved") < 1
    expect(page.locator("#status-command")).to_have_text("this policy takes none")
    for slider in ("Forward", "Turn left"):
        expect(page.get_by_label(slider, exact=True)).to_be_disabled()
    expect(page.locator("#pad")).to_be_hidden()
    page.get_by_label("Policy").select_option("g1_locomotion")
    expect(page.locator("#pad")).to_be_visible()


def test_the_pages_controller_and_physics_are_those_of_python_and_a_fallen_robot_is_put_on_its_feet(visit, recorded):
    page = visit("?policy=g1_lokomotion", **DESKTOP)
    expect(page.locator("#news")).to_have_text("This page has no policy g1_lokomotion; it has g1_locomotion, g1_dance.")
    page.evaluate("drive.queue.push(() => drive.push('left', 4))")
    page.wait_for_function("drive.measures.falls === 1 && drive.controller.running")
    assert not page.evaluate("drive.simulation.fallen")
    page.get_by_role("button", name="Pause").click()
    replay = """async ({ sensors, targets }) => {
        const { facts, layout, infer, content } = await drive.policy("g1_locomotion");
        const controller = new Controller(facts, infer);
        controller.start();
        const simulation = new Simulation(drive.mujoco, content, layout, facts.fall);
        const rows = { observed: [], targets: [], state: [], sensed: [] };
        for (const [step, row] of sensors.entries()) {
            if (step < 25) rows.sensed.push(simulation.sense());
            rows.targets.push(await controller.step(row));
            rows.observed.push(Array.from(controller.observed));
            if (step < 25) simulation.advance(targets[step]);
            if (step < 25) rows.state.push(Array.from(simulation.data.qpos));
        }
        simulation.delete();
        return rows;
    }"""
    ours = page.evaluate(replay, {"sensors": recorded["sensors"], "targets": recorded["targets"]})
    for name in ("observed", "targets"):
        assert np.abs(np.subtract(ours[name], recorded[name])).max() < 1e-4, name
    # Rounding differs between the two builds of MuJoCo, and contacts amplify it.
    assert np.abs(np.subtract(ours["state"], recorded["state"][:25])).max() < 1e-4
    for row, known in zip(ours["sensed"], recorded["sensors"], strict=False):
        for name, value in row.items():
            assert np.abs(np.subtract(value, known[name])).max() < 1e-2, name

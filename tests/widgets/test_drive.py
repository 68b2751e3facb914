"""The widget in which a robot walks, driven by setting values and by the messages of a page, without a browser."""

import asyncio
import base64
import io
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="onnx is not installed; pip install -e '.[sim]'")

from small_bundle import hopper, standing_bundle

from amp_helpers.deploy.readme import bundle_readme
from amp_helpers.errors import InputError
from amp_helpers.widgets import Drive, drive
from amp_helpers.widgets.driving import DIRECTIONS


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    return hopper(tmp_path_factory.mktemp("robot"))


@pytest.fixture
def widget(tmp_path, robot) -> Drive:
    slow = standing_bundle(tmp_path / "slow", commands={"forward": [0.4, 0.8], "turn": [0.0, 0.0]})
    return Drive(standing_bundle(tmp_path / "first"), slow, robot=robot, width=160, height=120, recording_s=0)


def say(widget: Drive, kind: str, **content: object) -> None:
    widget.stage.receive(None, {"kind": kind, "view": "page", **content}, None)


def test_sliders_command_and_figures_answer(widget):
    widget.forward.value, widget.turn.value = 0.5, -0.2
    assert widget.driver.command == pytest.approx((0.5, -0.2))
    widget.run(3.0)
    assert "command 0.5 m/s, -0.2 rad/s · 0 falls" in widget.figures.value and "stands" in widget.figures.value
    assert widget.curves.value.count("<svg") == 2 and "measured" in widget.curves.value
    widget.stand_button.click()
    assert widget.driver.command == (0.0, 0.0) and widget.forward.value == 0.0


def test_a_slower_speed_gives_the_turn_back_that_a_faster_one_took(robot, tmp_path):
    limited = standing_bundle(tmp_path / "limited", max_lateral_acceleration=0.2)
    widget = Drive(limited, robot=robot, width=160, height=120, recording_s=0)
    widget.forward.value, widget.turn.value = 1.0, 0.5
    assert widget.driver.command == (1.0, 0.2) and widget.turn.value == 0.2, "the slider shows what the robot is told"
    widget.forward.value = 0.5
    assert widget.driver.command == (0.5, 0.4) and widget.turn.value == 0.4


def test_keys_and_sticks_of_the_page_command_and_move_the_sliders(widget):
    widget.pause.value = True
    say(widget, "nudge", forward=1, turn=0)
    say(widget, "nudge", forward=0, turn=-1)
    assert widget.driver.command == pytest.approx((0.1, -0.1)) and widget.forward.value == pytest.approx(0.1)
    say(widget, "steer", forward=1.0, turn=0.5)
    assert widget.driver.command == pytest.approx((1.0, 0.25))
    say(widget, "stand")
    assert widget.driver.command == (0.0, 0.0)


def test_the_push_button_pushes_to_its_direction_and_reset_undoes(widget):
    widget.direction.value, widget.impulse.value = DIRECTIONS["right"], 35
    widget.push_button.click()
    assert widget.driver.sim.data.qvel[:2] == pytest.approx([0.0, -35 / 7], abs=1e-6)
    widget.run(0.4)
    widget.reset_button.click()
    assert np.abs(widget.driver.sim.data.qvel).max() == 0
    widget.pause.value = True
    say(widget, "push")
    assert widget.stage.sent >= 1, "a paused robot is shown too"
    assert widget.driver.sim.data.qvel[1] == pytest.approx(-5)


def test_another_policy_brings_its_range_of_commands(widget):
    widget.policy.value = "slow"
    assert widget.driver.policy == "slow"
    assert (widget.forward.min, widget.forward.max, widget.forward.value) == (0.4, 0.8, 0.4)
    assert widget.turn.disabled
    widget.policy.value = "first"
    assert (widget.forward.min, widget.forward.max) == (0.0, 1.0) and not widget.turn.disabled


def test_the_camera_turns_the_picture(widget):
    def picture() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(widget.still.value))).astype(int)

    before = picture()
    assert before.shape == (120, 160, 3)
    widget.camera.value = "side"
    assert np.abs(picture() - before).max() > 50


def test_it_walks_in_real_time_while_a_page_shows_it_and_stops_when_that_is_closed(widget):
    async def watch() -> None:
        say(widget, "ready")
        assert widget.stage.is_open and widget.recording.layout.display == "none"
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.5
        while loop.time() < end:
            say(widget, "shown", number=widget.stage.sent)
            await asyncio.sleep(0.01)
        assert widget.driver.time_s > 1.0 and widget.stage.shown >= 10
        assert widget.figures.value.endswith("of real time</div>")
        widget.pause.value = True
        await asyncio.sleep(0.2)
        paused = widget.driver.time_s
        await asyncio.sleep(0.1)
        assert widget.driver.time_s == paused
        widget.pause.value = False
        await asyncio.sleep(0.3)
        assert paused < widget.driver.time_s < paused + 0.9, "without making up for the pause"
        say(widget, "gone")
        await asyncio.sleep(0.2)
        stopped = widget.driver.time_s
        await asyncio.sleep(0.1)
        assert widget.driver.time_s == stopped and not widget.stage.is_open

    asyncio.run(watch())
    assert widget.messages.outputs == ()


def test_a_page_that_does_not_answer_gets_no_more_pictures_and_counts_as_closed(widget, monkeypatch):
    monkeypatch.setattr(drive, "SILENT_S", 0.2)

    async def watch() -> None:
        say(widget, "ready")
        await asyncio.sleep(0.8)
        assert widget.stage.sent <= 2 and not widget.stage.is_open
        say(widget, "nudge", forward=1, turn=0)  # it is back
        await asyncio.sleep(0.1)
        assert widget.stage.is_open and widget.stage.sent > 2
        widget.close()
        await asyncio.sleep(0)

    asyncio.run(watch())


def test_what_a_page_sends_to_another_thread_than_the_robots_is_not_lost(widget, monkeypatch):
    """A kernel under JupyterLab has a thread for the messages of widgets, and one for cells, where the robot walks."""
    monkeypatch.setattr(drive, "FIGURES_PER_S", 1000.0)
    monkeypatch.setattr(widget.messages, "_flush", lambda: time.sleep(0.05))  # as an output does on a busy machine

    async def watch() -> None:
        say(widget, "ready")
        for forward in (0.3, 0.7, 0.1):
            await asyncio.to_thread(widget.forward.set_state, {"value": forward})
            assert widget.driver.command == (forward, 0.0)
            await asyncio.sleep(0.05)
            assert widget.forward.value == forward, "the slider is not set back"
        await asyncio.to_thread(say, widget, "gone")
        await asyncio.sleep(0.1)

    asyncio.run(watch())
    assert widget.messages.outputs == ()


def test_the_robot_walks_in_the_thread_of_its_cell_whichever_thread_opens_the_picture(tmp_path, robot, monkeypatch):
    threads = set()

    async def opened_elsewhere(widget: Drive) -> None:
        say(widget, "ready")

    async def watch() -> None:
        widget = Drive(standing_bundle(tmp_path / "a"), robot=robot, width=160, height=120, recording_s=0)
        monkeypatch.setattr(widget.driver, "follow", lambda _now: threads.add(threading.current_thread()))
        for _ in range(2):
            await asyncio.to_thread(lambda: asyncio.run(opened_elsewhere(widget)))
            await asyncio.sleep(0.1)
            assert threads == {threading.main_thread()}
            threads.clear()
            await asyncio.to_thread(say, widget, "gone")
            await asyncio.sleep(0.1)
            threads.clear()
        await asyncio.sleep(0.1)
        assert not threads, "a closed page stops it"
        say(widget, "ready")
        await asyncio.to_thread(widget.close)
        await asyncio.sleep(0.1)
        threads.clear()
        await asyncio.sleep(0.1)
        assert not threads, "so does closing the widget, from any thread"

    asyncio.run(watch())


def test_a_policy_without_a_command_is_not_steered(tmp_path, robot):
    sensed = [{"name": "base_ang_vel", "size": 3, "history": 1}]
    still = {"forward": [0.0, 0.0], "turn": [0.0, 0.0]}
    folder = standing_bundle(tmp_path / "dance", observation=sensed, commands=still)
    widget = Drive(folder, robot=robot, width=160, height=120, recording_s=0.1)
    assert widget.forward.disabled and widget.turn.disabled
    widget.pause.value = True
    say(widget, "nudge", forward=1, turn=0)
    assert widget.driver.command == (0.0, 0.0) and "this policy takes no command" in widget.figures.value
    readme = bundle_readme(widget.driver.controller.facts | {"robot": "hopper"}, ())
    assert "The policy takes no command." in readme and "command = (0.0, 0.0, 0.0)" in readme


def test_without_a_page_it_holds_a_picture_and_a_video(tmp_path, robot):
    widget = Drive(standing_bundle(tmp_path / "a"), robot=robot, width=160, height=120, recording_s=0.4)
    video = base64.b64decode(re.search(r"base64,([^\"]+)", widget.video.value)[1])
    assert b"ftyp" in video[:16] and 'aria-label="The robot drives at 0.5 m/s"' in widget.video.value
    assert widget.driver.command == (0.0, 0.0) and widget.driver.time_s == 0
    assert widget.still.value[:4] == b"\x89PNG" and not widget.recording.layout.display


def test_what_cannot_be_driven_is_refused(tmp_path, robot):
    with pytest.raises(InputError, match="give at least one bundle, run or shipped policy"):
        Drive()
    with pytest.raises(InputError, match="no such bundle, run or checkpoint"):
        Drive("nowhere")


def test_a_run_of_a_task_of_the_users_is_exported_with_that_task(tmp_path, robot, monkeypatch):
    asked = {}

    def bundles(policies: tuple, **options: object) -> dict:
        asked.update(options)
        return {"mine": standing_bundle(tmp_path / "made")}

    monkeypatch.setattr(drive, "named_bundles", bundles)
    Drive("runs/mine", task="mine:Walk", robot=robot, width=160, height=120, recording_s=0)
    assert asked == {"task": "mine:Walk"}

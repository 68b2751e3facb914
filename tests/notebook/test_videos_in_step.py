"""Videos of one length that a notebook plays stay in step, although a browser starts each when it comes into view."""

import IPython.display
import numpy as np
import pytest

from amp_helpers.notebook.session import start
from amp_helpers.render.renderer import write_video

TIMES = "[...document.querySelectorAll('video')].filter(video => !video.paused).map(video => video.currentTime)"


@pytest.mark.browser
def test_a_video_that_comes_into_view_later_is_in_step(browser, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    space = start(tmp_path, needs=())
    frames = [np.full((40, 60, 3), value, np.uint8) for value in range(0, 200, 2)]
    space.play({name: write_video(space.videos / f"{name}.mp4", frames, 25) for name in "ab"}, min_width=300)
    (tmp_path / "page.html").write_text(f"<body style='width:320px'>{shown[0].data}")
    page = browser.new_page(viewport={"width": 320, "height": 150})
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function(f"{TIMES}.length == 1")
    page.wait_for_timeout(700)
    page.set_viewport_size({"width": 320, "height": 900})
    page.wait_for_function(f"{TIMES}.length == 2")
    page.wait_for_timeout(1000)
    first, second = page.evaluate(TIMES)
    assert min(abs(first - second), 4 - abs(first - second)) < 0.3
    page.close()

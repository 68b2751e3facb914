"""The page AMP in two dimensions: on the notebook's page, in a browser at two widths, with PyTorch's numbers."""

import re
from html import unescape

import nbformat
import numpy as np
import pytest
import torch
from support import dead_links

from amp_helpers.agent.losses import discriminator_loss, style_reward
from amp_helpers.agent.networks import mlp
from amp_helpers.lessons.plane import HIDDEN, LEARNING_RATE, POLICY, REFERENCE, PlaneAmp, cloud
from amp_helpers.notebook import pages

(PAGE,) = pages.LIVE_PAGES
LINK = "[AMP in two dimensions](../docs/amp_in_two_dimensions.html)"
TEXT = f"# A\n\n{LINK}\n\nThe losses: [`losses`](../amp_helpers/agent/losses.py)"


def written(folder, documentation=None):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(TEXT)])
    nbformat.write(notebook, folder / "a.ipynb")
    page = pages.write_page(notebook, folder / "a.html", documentation=documentation)
    return page.read_text()


def test_a_paragraph_with_its_link_shows_the_page(tmp_path):
    body = written(tmp_path)
    pages.write_index(tmp_path, ["a"])
    assert 'src="amp_in_two_dimensions.html" title="AMP in two dimensions"' in body
    assert (tmp_path / PAGE.name).read_bytes() == PAGE.read_bytes()
    assert f'href="{PAGE.name}"' in (tmp_path / "index.html").read_text()
    assert dead_links(tmp_path) == []


def test_links_to_source_files_lead_to_the_documentation_or_are_text(tmp_path):
    assert "losses.py" not in written(tmp_path)
    body = written(tmp_path, "../index.html")
    assert 'href="../api/amp_helpers.agent.html#amp_helpers.agent.losses"' in body


def test_figures_keep_their_description(tmp_path):
    shown = nbformat.v4.new_output(
        "display_data", {"image/png": "AAAA"}, metadata={"image/png": {"alt": 'a "loop"', "width": 90}}
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("show()", outputs=[shown])])
    body = pages.write_page(notebook, tmp_path / "b.html").read_text()
    (image,) = re.findall("<img [^>]*>", unescape(body))
    assert 'a "loop"' in image and 'width="90"' in image


def test_the_page_loads_nothing_from_elsewhere():
    text = PAGE.read_text()
    assert "http" not in text and "src=" not in text and "import " not in text


# --- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=[1280, 390])
def page(browser, request):
    context = browser.new_context(viewport={"width": request.param, "height": 844}, has_touch=request.param < 800)
    context.set_default_timeout(120_000)
    opened, errors = context.new_page(), []
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(PAGE.as_uri())
    yield opened
    assert errors == []
    context.close()


def center(page, name: str) -> np.ndarray:
    box = page.locator(f"#handle-{name}").bounding_box()
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


def number(page, name: str) -> float:
    return float(page.locator(f"#{name}").inner_text())


def trained(page) -> None:
    page.wait_for_function("() => Number(document.getElementById('steps').textContent) >= 1000")


@pytest.mark.browser
@pytest.mark.parametrize("page", [1280], indirect=True)
def test_the_point_climbs_with_a_penalty_and_stays_without(page):
    trained(page)
    page.wait_for_function("() => document.getElementById('verdict').textContent.includes('arrived')")
    slope = number(page, "slope")
    assert np.linalg.norm(center(page, "climber") - center(page, "reference")) < 120

    page.locator("#penalty").fill("0")
    page.wait_for_function("() => Number(document.getElementById('steps').textContent) < 500")
    trained(page)
    assert "plateau" in page.locator("#verdict").inner_text()
    assert number(page, "slope") < 0.2 * slope and number(page, "accuracy") > 0.95
    assert np.linalg.norm(center(page, "climber") - center(page, "policy")) < 60


@pytest.mark.browser
def test_clouds_are_dragged_and_moved_by_keys(page):
    before, shift = center(page, "policy"), np.array((40.0, -30.0))
    page.mouse.move(*before)
    page.mouse.down()
    page.mouse.move(*(before + shift), steps=3)
    page.mouse.up()
    page.wait_for_timeout(200)
    np.testing.assert_allclose(center(page, "policy"), before + shift, atol=2)

    page.locator("#handle-reference").focus()
    start = center(page, "reference")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    moved = center(page, "reference") - start
    assert moved[0] < -3 and abs(moved[1]) < 1


@pytest.mark.browser
def test_it_fits_the_screen_and_fingers(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for button in page.locator("button.plain").all():
        assert button.bounding_box()["height"] >= 44
    for name in ("reference", "policy"):
        assert page.locator(f"#handle-{name}").bounding_box()["width"] >= 44


@pytest.mark.browser
@pytest.mark.parametrize("page", [1280], indirect=True)
@pytest.mark.parametrize("loss", ["lsgan", "bce"])
@pytest.mark.parametrize("penalty", [0.0, 10.0])
def test_losses_gradients_rewards_and_training_are_pytorchs(page, loss, penalty):
    torch.manual_seed(1)
    net = mlp(2, HIDDEN, 1, "relu").double()
    reference, policy = cloud(REFERENCE, 0).double(), cloud(POLICY, 1).double()
    weights = [parameter.detach().flatten().tolist() for parameter in net.parameters()]
    points = torch.rand(20, 2, dtype=torch.float64) * 4 - 2
    arguments = [weights, reference.tolist(), policy.tolist(), loss, penalty, points.tolist(), LEARNING_RATE]
    theirs = page.evaluate(
        """([weights, reference, policy, loss, penalty, points, rate]) => {
            const network = weights.map(values => Float64Array.from(values));
            const first = ampPlane.discriminatorLoss(network, reference, policy, loss, penalty);
            const rewards = points.map(point => ampPlane.rewardAt(network, point, loss));
            const optimizer = new ampPlane.Adam(network, rate);
            for (let step = 0; step < 50; step++)
                optimizer.step(network, ampPlane.discriminatorLoss(network, reference, policy, loss, penalty).grads);
            return {total: first.total, penalty: first.penalty, accuracy: first.accuracy,
                    grads: first.grads.map(values => [...values]), rewards,
                    trained: points.map(point => ampPlane.forward(network, point).logit)};
        }""",
        arguments,
    )

    total, terms = discriminator_loss(net, reference, policy, loss, penalty)
    total.backward()
    close = {"rtol": 1e-7, "atol": 1e-10}
    np.testing.assert_allclose(theirs["total"], total.item(), **close)
    np.testing.assert_allclose(theirs["penalty"], terms["gradient_penalty"], **close)
    np.testing.assert_allclose(theirs["accuracy"], terms["accuracy"], atol=1e-6)
    for mine, parameter in zip(theirs["grads"], net.parameters(), strict=True):
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        np.testing.assert_allclose(mine, gradient.flatten(), **close)
    at = points.clone().requires_grad_(True)
    rewards = style_reward(net(at), loss)
    (slope,) = torch.autograd.grad(rewards.sum(), at)
    np.testing.assert_allclose([row["reward"] for row in theirs["rewards"]], rewards[:, 0].detach(), **close)
    np.testing.assert_allclose([row["slope"] for row in theirs["rewards"]], slope, **close)

    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    for _ in range(50):
        optimizer.zero_grad()
        discriminator_loss(net, reference, policy, loss, penalty)[0].backward()
        optimizer.step()
    np.testing.assert_allclose(theirs["trained"], net(points)[:, 0].detach(), rtol=1e-5, atol=1e-7)


@pytest.mark.browser
@pytest.mark.parametrize("page", [1280], indirect=True)
def test_it_has_the_numbers_of_the_lesson(page):
    sizes = page.evaluate("({HALF, POINTS, HIDDEN, RATE, CLIMB, NOISE, START, BURST})")
    plane = PlaneAmp()
    assert (sizes["HALF"], sizes["POINTS"], sizes["NOISE"]) == (plane.half_width, len(plane.policy), plane.input_noise)
    assert ((sizes["HIDDEN"],) * 2, sizes["RATE"]) == (HIDDEN, LEARNING_RATE)
    assert sizes["START"] == {"reference": list(REFERENCE), "policy": list(POLICY)}

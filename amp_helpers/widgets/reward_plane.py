"""AMP in the plane: move the policy, change the gradient penalty, and see the reward of the discriminator."""

import io
from dataclasses import dataclass

import ipywidgets

from amp_helpers.lessons.plane import NOISE, POLICY, PlaneAmp
from amp_helpers.plots.amp import reward_planes
from amp_helpers.widgets.panel import Panel, TooltipImage, as_html, text_block

PENALTIES = (0.0, 0.1, 1.0, 10.0, 100.0)
ROUNDS = 25
"""Rounds in which both learn, for each press of the button."""


@dataclass(frozen=True)
class PlaneReading:
    """What an experiment in the plane shows."""

    reward: float
    """Mean style reward of the policy's points."""
    slope: float
    """Mean norm of the reward's gradient at the policy's points."""
    climbed: float
    """Share of the way to the reference that a point covers which climbs from the policy."""

    def __str__(self) -> str:
        where = (
            f"climbs {self.climbed:.0%} of the way to the reference"
            if self.climbed > 0.1
            else "does not get to the reference"
        )
        return (
            f"style reward of the policy {self.reward:.3f}, its slope there {self.slope:.3f} per standard deviation\n"
            f"a point that follows the slope {where}"
        )


def read_plane(plane: PlaneAmp) -> PlaneReading:
    """Measure an experiment."""
    return PlaneReading(float(plane.reward(plane.policy).mean()), plane.policy_slope(), plane.climbed())


class RewardPlane(Panel):
    """Show the reward of a discriminator in the plane; change its penalty and loss, and move the policy's cloud.

    After each change, the discriminator learns anew. A button lets policy and discriminator learn in turns.

    Args:
        penalty: gradient penalty at first, one of :data:`PENALTIES`.
        loss: ``lsgan`` or ``bce``.
    """

    def __init__(self, penalty: float = 10.0, loss: str = "lsgan") -> None:
        super().__init__()
        wide = ipywidgets.Layout(width="calc(100% - 8px)", max_width="480px")
        style = {"description_width": "70px"}
        self.penalty = ipywidgets.SelectionSlider(
            options=[(f"{value:g}", value) for value in PENALTIES],
            value=penalty,
            description="Penalty",
            tooltip="weight of the gradient penalty; arrow keys change it",
            continuous_update=False,
            style=style,
            layout=wide,
        )
        self.loss = ipywidgets.ToggleButtons(
            options=("lsgan", "bce"),
            value=loss,
            description="Loss",
            tooltips=["least squares, this project's default", "binary cross-entropy"],
            style={"button_width": "auto", "description_width": "70px"},
        )
        self.noise = ipywidgets.Checkbox(
            True,
            description=f"Input noise of {NOISE:g}",
            indent=False,
            tooltip="noise on the discriminator's input while it learns",
            layout=ipywidgets.Layout(width="auto", margin="2px 2px 2px 74px"),
        )
        limit = PlaneAmp.half_width - 0.5
        self.x, self.y = (
            ipywidgets.FloatSlider(
                value,
                min=-limit,
                max=limit,
                step=0.1,
                description=f"Policy {name}",
                tooltip=f"{name} of the policy's center; arrow keys move it",
                continuous_update=False,
                style=style,
                layout=wide,
            )
            for name, value in zip("xy", POLICY, strict=True)
        )
        self.learn_button = ipywidgets.Button(
            description="Let the policy learn",
            icon="forward",
            tooltip=f"{ROUNDS} rounds: the policy follows the slope, the discriminator learns",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.reset_button = ipywidgets.Button(
            description="Start again", icon="undo", tooltip="put the policy back and train anew"
        )
        self.image = TooltipImage(
            format="png",
            tooltip="Heat map of the style reward with the reference's and the policy's points; below, the reward on "
            "the way from one to the other",
            layout=ipywidgets.Layout(width="100%", max_width="370px", flex="0 0 auto"),
        )
        self.text = text_block(100)
        buttons = ipywidgets.HBox([self.learn_button, self.reset_button], layout={"flex_flow": "row wrap"})
        controls = ipywidgets.VBox(
            [self.penalty, self.loss, self.noise, self.x, self.y, buttons, self.text],
            layout=ipywidgets.Layout(flex="1 1 320px", min_width="0"),
        )
        row = ipywidgets.HBox([self.image, controls], layout=ipywidgets.Layout(flex_flow="row wrap", width="100%"))
        self.start((self.penalty, self.loss, self.noise, self.x, self.y), [row])
        self.learn_button.on_click(self.guarded(self._learn))
        self.reset_button.on_click(self.guarded(self._reset))

    def refresh(self) -> None:
        """Train a discriminator for what is selected, and show it."""
        self.plane = PlaneAmp(
            (self.x.value, self.y.value),
            loss=str(self.loss.value),
            gradient_penalty=float(self.penalty.value or 0.0),
            input_noise=NOISE if self.noise.value else 0.0,
        ).train()
        self._show()

    def _show(self) -> None:
        buffer = io.BytesIO()
        reward_planes({f"{self.plane.loss}, penalty {self.plane.gradient_penalty:g}": self.plane}).savefig(
            buffer, format="png", dpi=88
        )
        self.image.value = buffer.getvalue()
        self.reading = read_plane(self.plane)
        self.text.value = as_html(str(self.reading))

    def _learn(self) -> None:
        self.plane.learn(ROUNDS)
        self._show()

    def _reset(self) -> None:
        with self.batched():
            self.x.value, self.y.value = POLICY

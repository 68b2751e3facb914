"""Recorded computations give what plain ones give, on a GPU where there is one; figures are fetched as they were, and
kept work is done in order."""

import torch
from torch import nn

from amp_helpers.agent.cuda_graphs import Recorded, SideStream, aligned, fetch_figures, side_by_side


def test_gradients_follow_the_parameters_and_the_inputs(device):
    """Of a loss with a gradient penalty, as the discriminator's; a step is made between the calls."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ELU(), nn.Linear(8, 1)).to(device)
    parameters = list(network.parameters())

    def gradients(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        x = x.detach().requires_grad_(True)
        y = network(x)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return torch.autograd.grad((y - 1).square().mean() + slope.square().mean(), parameters)

    recorded = Recorded(gradients)
    for rows in (6, 6, 3) * (Recorded.WARM_UP + 2):
        x = torch.randn(rows, 4, device=device)
        expected = [gradient.clone() for gradient in gradients(x)]
        torch.testing.assert_close(list(recorded(x=x)), expected)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, expected, strict=True):
                parameter -= 0.1 * gradient


def test_random_numbers_are_drawn_anew(device):
    recorded = Recorded(lambda x: x + torch.randn_like(x))
    zero = torch.zeros(100, device=device)
    drawn = torch.stack([recorded(x=zero).clone() for _ in range(Recorded.WARM_UP + 3)])
    assert (drawn[1:] - drawn[:-1]).abs().min() > 0 and 0.5 < drawn[-1].std() < 1.5


def test_a_function_with_an_effect_is_run_once_a_call(device):
    count, one = torch.zeros(1, device=device), torch.ones(1, device=device)
    recorded = Recorded(lambda x: count.add_(x).clone())
    assert [recorded(x=one).item() for _ in range(Recorded.WARM_UP + 3)] == list(range(1, Recorded.WARM_UP + 4))
    recorded.forget()
    assert recorded(x=one).item() == Recorded.WARM_UP + 4


def test_recordings_beside_one_another_give_what_they_give_alone(device):
    torch.manual_seed(0)
    weight, x = torch.randn(512, 512, device=device) / 512**0.5, torch.randn(64, 512, device=device)
    here, there = (Recorded(lambda y: (y @ weight).tanh() @ weight) for _ in range(2))
    expected = (x @ weight).tanh() @ weight
    for _ in range(Recorded.WARM_UP + 20):
        with SideStream(x.device) as side:
            with side.work():
                other = there(y=x).clone()
            torch.testing.assert_close(here(y=x), expected)
        torch.testing.assert_close(other, expected)


def test_computations_side_by_side_give_what_they_give_alone(device):
    torch.manual_seed(0)
    x = torch.randn(3000, 64, device=device)
    tasks = [lambda: (x @ x.T).sum(), lambda: x.sin().sum(), lambda: x.square().mean()]
    expected = [task() for task in tasks]
    torch.testing.assert_close(side_by_side(tasks, x.device), expected)
    recorded = Recorded(lambda y: side_by_side([lambda: y.sin(), lambda: y.cos()], y.device))
    for scale in range(1, Recorded.WARM_UP + 3):
        torch.testing.assert_close(recorded(y=scale * x), [(scale * x).sin(), (scale * x).cos()])


def test_aligned_rows_hold_the_same_and_zeros(device):
    rows = torch.arange(15.0, device=device).view(3, 5)
    wide = aligned(rows)
    assert wide.shape == ((3, 8) if device == "cuda" else (3, 5))
    assert torch.equal(wide[:, :5], rows) and not wide[:, 5:].any()
    assert aligned(wide) is wide


def test_figures_keep_their_names_and_order(device):
    figures = {"a": torch.tensor([2.5], device=device), "b": 3, "c": torch.tensor(True, device=device)}
    assert list(fetch_figures(figures)().items()) == [("a", 2.5), ("b", 3.0), ("c", 1.0)]
    assert fetch_figures({})() == {} and fetch_figures({"b": 3})() == {"b": 3.0}


def test_figures_are_those_of_when_they_were_sent_for(device):
    figure = torch.tensor(2.5, device=device)
    read = fetch_figures({"a": figure})
    figure.zero_()
    assert read() == {"a": 2.5}

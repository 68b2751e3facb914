"""A learner's steps are those of its optimizer, recorded or not, also once the optimizer has loaded another state."""

import copy

import torch
from torch import nn

from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.learner import GradientBuffer, Learner
from amp_helpers.agent.optimizers import apply_gradients, discriminator_optimizer, policy_optimizer
from amp_helpers.agent.ranks import ALONE


def test_steps_are_those_of_the_optimizer(device):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 16), nn.ELU(), nn.Linear(16, 1)).to(device)
    plain = copy.deepcopy(network)
    table = torch.randn(40, 4, device=device)  # read where it is, and changed in place

    def gradients_of(module: nn.Sequential):
        def gradients(*, indices: torch.Tensor):
            loss = (module(table[indices]) - 1).square().mean()
            return torch.autograd.grad(loss, list(module.parameters())), {"loss": loss.detach()}

        return gradients

    for make in (
        lambda module: policy_optimizer(module.parameters(), AmpAgentCfg()),
        lambda module: discriminator_optimizer(module, AmpAgentCfg()),
    ):
        optimizer, reference = make(network), make(plain)
        learner = Learner(optimizer, list(network.parameters()), gradients_of(network), 0.5, ALONE)
        for step in range(12):
            indices = torch.randperm(40, device=device)[:10]
            figures = learner.step(indices=indices)
            gradients, expected = gradients_of(plain)(indices=indices)
            apply_gradients(reference, list(plain.parameters()), gradients, 0.5)
            torch.testing.assert_close(figures, expected)
            torch.testing.assert_close(list(network.parameters()), list(plain.parameters()))
            table.mul_(0.9)
            if step == 7:  # as a resumed run does
                for each in (optimizer, reference):
                    state = copy.deepcopy(each.state_dict())
                    state["state"][0]["exp_avg"] *= 2
                    each.load_state_dict(state)


def test_a_state_from_another_kind_of_device_is_loaded_as_one_of_this(device):
    module = nn.Linear(3, 2).to(device)
    for make in (
        lambda m: policy_optimizer(m.parameters(), AmpAgentCfg()),
        lambda m: discriminator_optimizer(m, AmpAgentCfg()),
    ):
        optimizer, own = make(module), make(module).param_groups[0]["fused"]
        apply_gradients(optimizer, list(module.parameters()), [torch.ones_like(p) for p in module.parameters()], 1.0)
        state = copy.deepcopy(optimizer.state_dict())
        for group in state["param_groups"]:
            group["fused"] = not own
        other = make(module)
        other.load_state_dict(state)
        assert [group["fused"] for group in other.param_groups] == [own] * len(other.param_groups)
        apply_gradients(other, list(module.parameters()), [torch.ones_like(p) for p in module.parameters()], 1.0)


def test_packed_gradients_and_figures_are_unpacked_again():
    gradients = (torch.randn(2, 3), None, torch.randn(5), torch.randn(()))
    figures = {"loss": torch.tensor(0.5), "kl": torch.tensor(0.1)}
    buffer = GradientBuffer()
    again, same = buffer.unpack(2 * buffer.pack(gradients, figures))
    torch.testing.assert_close(again, tuple(None if g is None else 2 * g for g in gradients))
    torch.testing.assert_close(same, {name: 2 * figure for name, figure in figures.items()})
    assert {g.storage_offset() % GradientBuffer.ALIGNMENT for g in again if g is not None} == {0}

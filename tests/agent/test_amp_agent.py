"""The agent on tensors alone: formulas, updates, replay, checkpoints. The simulator is in test_train.py."""

import copy
import pickle
from dataclasses import asdict, replace

import gymnasium
import numpy as np
import pytest
import torch

pytest.importorskip("skrl", reason="skrl is not installed; pip install -e '.[sim]'")

from skrl.memories.torch import RandomMemory

from amp_helpers.agent.amp_agent import AmpAgent
from amp_helpers.agent.cfg import AmpAgentCfg
from amp_helpers.agent.checkpoint import load_checkpoint
from amp_helpers.agent.health import Health
from amp_helpers.agent.losses import discriminator_loss, generalized_advantages, style_reward
from amp_helpers.agent.networks import Discriminator, Policy, Value
from amp_helpers.agent.optimizers import TensorRateAdam, annealed_kl_threshold, step_learning_rate
from amp_helpers.agent.replay_buffer import ReplayBuffer
from amp_helpers.errors import InputError

ENVS, STEPS, OBS, STATES, ACTIONS, AMP = 4, 8, 5, 6, 3, 10


def box(size: int) -> gymnasium.spaces.Box:
    return gymnasium.spaces.Box(-np.inf, np.inf, (size,))


def make_agent(seed: int = 0, amp: int = AMP, **options) -> AmpAgent:
    torch.manual_seed(seed)
    reference = torch.randn(200, amp) * 0.1 + 1.0
    usual = {"rollouts": STEPS, "discriminator_batch_size": 16, "replay_size": 50, "final_std": 0.0}
    usual |= {"discriminator_learning_rate": 1e-4, "discriminator_noise": 0.0, "discriminator_epochs": 5}
    agent = AmpAgent(
        cfg=AmpAgentCfg(**usual | options),
        policy=Policy(box(OBS), box(ACTIONS), "cpu", hidden=(16,)),
        value=Value(box(OBS), box(STATES), box(ACTIONS), "cpu", hidden=(16,)),
        discriminator=Discriminator(box(amp), box(ACTIONS), "cpu", hidden=(16,)),
        num_envs=ENVS,
        observation_space=box(OBS),
        state_space=box(STATES),
        action_space=box(ACTIONS),
        amp_observation_space=box(amp),
        reference_windows=lambda policy: reference[torch.randint(len(reference), (len(policy),))],
        step_dt=0.02,
        device="cpu",
    )
    agent.init()
    return agent


def amp_columns(agent: AmpAgent) -> int:
    return agent.rollout.get_tensor_by_name("amp_observations").shape[-1]


def roll_out(agent: AmpAgent, seed: int, truncated_at: int | None = None, terminal_value: float = 0.0) -> None:
    """Fill the agent's memory through its own interface."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    observations, states = draw(ENVS, OBS), draw(ENVS, STATES)
    for t in range(STEPS):
        with torch.no_grad():
            actions, _ = agent.act(observations, states, timestep=t, timesteps=STEPS)
        truncated = torch.zeros(ENVS, 1, dtype=torch.bool)
        truncated[0] = t == truncated_at
        following = draw(ENVS, OBS), draw(ENVS, STATES)
        agent.record_transition(
            observations=observations,
            states=states,
            actions=actions,
            rewards=draw(ENVS, 1),
            next_observations=following[0],
            next_states=following[1],
            terminated=torch.zeros(ENVS, 1, dtype=torch.bool),
            truncated=truncated,
            infos={
                "amp_obs": draw(ENVS, amp_columns(agent)),
                "amp_whole": torch.full((ENVS,), t > 1),
                "terminal_observations": None,
                "terminal_states": torch.full((ENVS, STATES), terminal_value),
            },
            timestep=t,
            timesteps=STEPS,
        )
        observations, states = following


def parameters(agent: AmpAgent) -> dict[str, torch.Tensor]:
    return {
        f"{model}.{name}": value.detach().clone()
        for model, module in agent.models.items()
        for name, value in module.named_parameters()
    }


def test_style_rewards_have_their_published_values():
    logits = torch.tensor([-1.0, 0.0, 1.0, 3.0])
    assert style_reward(logits, "lsgan").tolist() == pytest.approx([0.0, 0.75, 1.0, 0.0])
    assert style_reward(torch.tensor([0.0, 100.0]), "bce").tolist() == pytest.approx([np.log(2), -np.log(1e-4)])


@pytest.mark.parametrize("loss", ["lsgan", "bce"])
def test_the_gradient_penalty_is_the_slope_at_the_reference(loss):
    weight = torch.tensor([[3.0], [4.0]])
    reference, policy = torch.randn(7, 2), torch.randn(9, 2)
    with_penalty, figures = discriminator_loss(lambda x: x @ weight, reference, policy, loss, gradient_penalty=10.0)
    without, _ = discriminator_loss(lambda x: x @ weight, reference, policy, loss, gradient_penalty=0.0)
    assert figures["gradient_penalty"].item() == pytest.approx(25.0)
    assert (with_penalty - without).item() == pytest.approx(0.5 * 10.0 * 25.0, rel=1e-5)


def test_advantages_stop_at_every_end_of_an_episode():
    rewards = torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    done = torch.tensor([False, True, False]).view(3, 1, 1)
    values = torch.tensor([0.5, 0.25, 0.125]).view(3, 1, 1)
    advantages = generalized_advantages(rewards, done, values, torch.tensor([[8.0]]), 0.5, 0.5).flatten()
    second = 2.0 - 0.25
    first = 1.0 + 0.5 * 0.25 - 0.5 + 0.25 * second
    assert advantages.tolist() == pytest.approx([first, second, 4.0 + 0.5 * 8.0 - 0.125])


@pytest.mark.parametrize(("mini_batches", "made"), [(1, 1), (5, 5), (20, 16), (50, 32)])
def test_rows_that_cannot_be_shared_out_evenly_make_smaller_or_fewer_mini_batches(mini_batches, made):
    """Of 32 rows; the discriminator takes a step with each in its epochs."""
    agent = make_agent(mini_batches=mini_batches, learning_epochs=3, discriminator_epochs=2)
    roll_out(agent, seed=1)
    assert np.isfinite(list(asdict(agent.update()).values())).all()
    steps = [
        {int(state["step"]) for state in optimizer.state.values()}
        for optimizer in (agent.optimizer, agent.discriminator_optimizer)
    ]
    assert steps == [{3 * made}, {2 * made}]


def test_a_time_out_is_worth_the_state_it_cut():
    agent = make_agent()
    roll_out(agent, seed=1, truncated_at=3, terminal_value=2.0)
    bootstrap = agent._bootstrap()
    expected = agent.amp.discount_factor * agent._values(agent.normalizers.inputs(None, torch.full((1, STATES), 2.0)))
    assert bootstrap[3, 0].item() == pytest.approx(expected.item(), rel=1e-5)
    assert bootstrap.count_nonzero() == 1


def test_windows_that_are_not_whole_earn_no_style():
    agent = make_agent()
    roll_out(agent, seed=1)
    whole = agent.rollout.rows("amp_whole").flatten()
    style = agent._prepare_rollout(*agent._next)
    assert 0 < whole.sum() < len(whole)
    assert style[~whole].abs().max() == 0 and style[whole].max() > 0


def test_the_action_noise_is_annealed_on_schedule():
    agent = make_agent(final_std=0.1, final_std_updates=4, entropy=0.0)
    loudest = []
    for seed in range(5):
        roll_out(agent, seed=seed)
        agent.update()
        loudest.append(agent.policy.log_std.exp().max().item())
    ceiling = [0.1**0.25, 0.1**0.5, 0.1**0.75, 0.1, 0.1]
    assert loudest == pytest.approx(ceiling, rel=0.01), "geometrically, and no further"
    free = make_agent(entropy=0.0)
    roll_out(free, seed=0)
    free.update()
    assert free.policy.log_std.exp().max() > 0.9, "without a schedule the policy sets it"


@pytest.mark.slow
def test_noise_hides_small_differences_from_the_discriminator():
    told_apart = {}
    for noise in (0.0, 5.0):
        agent = make_agent(discriminator_noise=noise, discriminator_learning_rate=1e-2)
        for seed in range(20):
            roll_out(agent, seed=seed)
            agent.update()
        policy = agent.rollout.rows("amp_observations")
        reference = agent._reference_windows(policy)
        logits = [agent._logits(agent.normalizers.windows(w)).mean().item() for w in (reference, policy)]
        told_apart[noise] = logits[0] - logits[1]
    assert told_apart[5.0] < 0.7 * told_apart[0.0]


def test_an_update_teaches_all_three_networks_at_their_own_rates():
    agent = make_agent(kl_threshold=1e-9)
    before = parameters(agent)
    roll_out(agent, seed=1)
    agent.update()
    changed = {name.split(".")[0] for name, value in parameters(agent).items() if not torch.equal(value, before[name])}
    assert changed == {"policy", "value", "discriminator"}
    assert agent.optimizer.param_groups[0]["lr"] < 1e-3, "the policy's rate follows the divergence"
    assert {group["lr"] for group in agent.discriminator_optimizer.param_groups} == {1e-4}, (
        "the discriminator's is fixed"
    )


def test_the_rate_follows_the_divergence_within_its_limits(device):
    """A number on a CPU, a tensor on a GPU, where it is steered in place."""
    cfg = AmpAgentCfg(kl_threshold=0.01, min_learning_rate=1e-5, max_learning_rate=1e-2)
    optimizer = TensorRateAdam([torch.nn.Parameter(torch.zeros(2, device=device))], 3e-3)
    rate = optimizer.param_groups[0]["lr"]
    assert isinstance(rate, torch.Tensor) == (device == "cuda")
    rates = []
    for kl in (0.021, 0.02, 0.005, 0.004, 0.004, 0.0, 0.0, 0.0):
        step_learning_rate(optimizer, torch.tensor(kl, device=device), cfg.kl_threshold, cfg)
        rates.append(float(optimizer.param_groups[0]["lr"]))
    assert rates == pytest.approx([2e-3, 2e-3, 2e-3, 3e-3, 4.5e-3, 6.75e-3, 1e-2, 1e-2])
    for _ in range(30):
        step_learning_rate(optimizer, torch.tensor(1.0, device=device), cfg.kl_threshold, cfg)
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(1e-5)
    if device == "cuda":
        assert optimizer.param_groups[0]["lr"] is rate
    step_learning_rate(optimizer, torch.tensor(0.0, device=device), 0.0, cfg)
    assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(1e-5), "a threshold of 0 leaves it"


def test_the_threshold_of_the_divergence_falls_geometrically_between_two_updates():
    cfg = AmpAgentCfg(kl_threshold=0.02, final_kl_threshold=0.002, final_kl_updates=(100, 200))
    thresholds = [annealed_kl_threshold(updates, cfg) for updates in (0, 100, 150, 200, 900)]
    assert thresholds == pytest.approx([0.02, 0.02, 0.02 / 10**0.5, 0.002, 0.002])
    assert annealed_kl_threshold(900, AmpAgentCfg(kl_threshold=0.02)) == 0.02, "by default it stays"
    assert annealed_kl_threshold(900, replace(cfg, kl_threshold=0.0)) == 0.0, "a fixed rate stays fixed"


def test_an_update_aims_for_the_annealed_divergence():
    agent = make_agent(kl_threshold=10.0, final_kl_threshold=1e-9, final_kl_updates=(0, 1))
    rates = [float(agent.optimizer.param_groups[0]["lr"])]
    for seed in (1, 2):
        roll_out(agent, seed=seed)
        agent.update()
        rates.append(float(agent.optimizer.param_groups[0]["lr"]))
    assert rates[0] < rates[1] > rates[2], "every update is below 10, and above 1e-9"


@pytest.mark.parametrize("written", [2e-4, torch.tensor(2e-4)], ids=["number", "tensor"])
def test_a_rate_is_taken_over_from_any_device(device, written):
    optimizer = TensorRateAdam([torch.nn.Parameter(torch.ones(2, device=device))], 3e-3)
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0]["lr"] = written
    before = type(optimizer.param_groups[0]["lr"])
    optimizer.load_state_dict(state)
    rate = optimizer.param_groups[0]["lr"]
    assert type(rate) is before and float(rate) == pytest.approx(2e-4)


@pytest.mark.slow
def test_the_discriminator_learns_to_tell_the_reference():
    agent = make_agent(discriminator_learning_rate=1e-2, gradient_penalty=0.1)
    records: list[Health] = []
    for seed in range(15):
        roll_out(agent, seed)
        records.append(agent.update())
    assert records[-1].accuracy > 0.8 and records[-1].expert_logit > records[-1].policy_logit + 0.5
    assert [record.update for record in records] == list(range(1, 16))


def test_replay_never_forgets_that_it_is_full():
    memory = RandomMemory(memory_size=200, num_envs=1, device="cpu")
    replay = ReplayBuffer(memory, box(2), share=0.64)
    for step in range(9):
        replay.add(torch.cat((torch.full((512, 2), float(step)), torch.full((9, 2), -1.0))), torch.arange(512))
        assert len(replay) == min(200, 128 * (step + 1))
    assert set(replay.sample(500)[:, 0].tolist()) == {7.0, 8.0}, "the oldest ones went first"


def test_a_resumed_agent_makes_the_identical_next_update(tmp_path):
    agent = make_agent()
    for seed in range(3):
        roll_out(agent, seed)
        agent.update()
    agent.save(str(tmp_path / "agent.pt"))
    rollout = copy.deepcopy(agent.memory.tensors)
    fresh = make_agent(seed=99)
    fresh._reference_windows = agent._reference_windows
    fresh.load(str(tmp_path / "agent.pt"))
    for name, tensor in rollout.items():
        fresh.memory.tensors[name].copy_(tensor)
    fresh._next, fresh._log = agent._next, agent._log
    assert fresh.updates == 3 and len(fresh.replay) == len(agent.replay)
    fresh.update()
    resumed = parameters(fresh)
    # Torch has one random state a process, so the first agent goes on from where the file has it too.
    agent.load(str(tmp_path / "agent.pt"))
    agent.update()
    for name, value in parameters(agent).items():
        assert torch.equal(value, resumed[name]), name


def test_a_checkpoint_of_another_network_is_refused_and_changes_nothing(tmp_path):
    make_agent(amp=AMP + 2).save(str(tmp_path / "other.pt"))
    agent = make_agent(seed=5)
    before = parameters(agent)
    with pytest.raises(InputError, match=r"discriminator net.0.weight is \(16, 12\) in the file and \(16, 10\) here"):
        agent.load(str(tmp_path / "other.pt"))
    assert all(torch.equal(value, before[name]) for name, value in parameters(agent).items())


class Payload:
    """Would run a command when unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def test_a_checkpoint_that_would_execute_code_is_refused_without_executing_it(tmp_path):
    marker = tmp_path / "executed"
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Payload(str(marker))))
    torch.save({"policy": Payload(str(marker))}, tmp_path / "evil_zip.pt")
    (tmp_path / "text.pt").write_text("hello")
    for name in ("evil.pt", "evil_zip.pt", "text.pt"):
        with pytest.raises(InputError, match="not a checkpoint"):
            load_checkpoint(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"discriminator_loss": "hinge"}, "available: lsgan, bce"),
        ({"replay_share": 0.0}, "above 0"),
        ({"gae_lambda": 1.5}, "gae_lambda is 1.5; give a number in 0..1"),
        ({"hidden": ()}, "hidden is empty; give widths of at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; give a number above 0"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        make_agent(**wrong)


def health(**values: float) -> Health:
    usual = dict.fromkeys(Health.names(), 0.1) | {"update": 1, "style_reward_limit": 1.0}
    usual |= {"accuracy": 0.8, "style_reward": 0.4, "weighted_style": 2.0, "weighted_task": 2.0}
    return Health(**(usual | values))


@pytest.mark.parametrize(
    ("values", "verdict", "advice"),
    [
        ({"style_reward": 0.6, "weighted_style": 0.0}, "off", "style_weight 0"),
        ({"weighted_task": 0.0}, "sound", "100% of the reward"),
        ({}, "sound", "50% of the reward"),
        ({"accuracy": 1.0, "style_reward": 0.0}, "saturated", "gradient penalty"),
        ({"accuracy": 0.5, "style_reward": 0.8}, "fooled", "lengthen the window"),
        ({"weighted_task": 0.01}, "task drowned", "lower style_weight"),
        ({"weighted_style": 0.01}, "style drowned", "raise style_weight"),
    ],
)
def test_the_health_sentence_says_what_to_do(values, verdict, advice):
    record = health(**values)
    assert record.verdict == verdict
    assert advice in record.sentence and record.sentence.endswith(".")


def test_the_part_of_a_rank_belongs_to_its_checkpoint(tmp_path):
    agent = make_agent()
    roll_out(agent, seed=1)
    agent.update()
    agent.save_rank(str(tmp_path / "rank.pt"))
    drawn = torch.rand(3)
    agent.load_rank(str(tmp_path / "rank.pt"))
    assert torch.equal(torch.rand(3), drawn)
    roll_out(agent, seed=2)
    agent.update()
    with pytest.raises(InputError, match="is of update 1, not 2; give a whole checkpoint"):
        agent.load_rank(str(tmp_path / "rank.pt"))
    assert agent.updates == 2
    agent.save_rank(str(tmp_path / "rank.pt"))
    agent.load_rank(str(tmp_path / "rank.pt"))


def test_the_part_of_a_rank_of_another_update_changes_nothing(tmp_path):
    agent = make_agent()
    for seed in (1, 2):
        roll_out(agent, seed=seed)
        agent.update()
        agent.save_rank(str(tmp_path / f"rank{seed}.pt"))
    with pytest.raises(InputError, match="is of update 1, not 2"):
        agent.load_rank(str(tmp_path / "rank1.pt"))
    agent.save_rank(str(tmp_path / "after.pt"))
    first, second, after = (load_checkpoint(tmp_path / f"{name}.pt") for name in ("rank1", "rank2", "after"))
    for part, key in (("replay", "windows"), ("random_state", "cpu")):
        assert torch.equal(after[part][key], second[part][key]) and not torch.equal(after[part][key], first[part][key])
    assert after["progress"] == second["progress"]

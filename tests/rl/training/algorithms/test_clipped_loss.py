"""The loss of a token and its gradient, by hand."""

import math

import pytest
import torch

from rl.training.algorithms.algorithm import LossSettings
from rl.training.algorithms.clipped_loss import clipped_loss, importance, surrogate

# ratios of the policy now to the one before
RATIOS = [0.5, 0.9, 1.0, 1.2, 2.0]
NOW = torch.tensor([[math.log(ratio) for ratio in RATIOS]])
NONE = torch.zeros(1, 5)


@pytest.mark.parametrize(
    ("advantage", "expected", "moves"),
    [
        (1.0, [-0.5, -0.9, -1.0, -1.2, -1.25], [True, True, True, True, False]),  # no more is gained above 1.25
        (-1.0, [0.9, 0.9, 1.0, 1.2, 2.0], [False, True, True, True, True]),  # nor below 0.9, where it is lost
    ],
)
def test_the_pessimistic_of_both_counts(advantage: float, expected: list[float], moves: list[bool]) -> None:
    now = NOW.clone().requires_grad_()
    # the lower bound lies at 0.9 exactly, where both are one and the gradient flows
    losses = surrogate(now, NONE, torch.full((1, 5), advantage), (0.1, 0.25))
    assert losses[0].tolist() == pytest.approx(expected)
    losses.sum().backward()
    assert now.grad is not None
    gradient = [-advantage * ratio if moved else 0.0 for ratio, moved in zip(RATIOS, moves, strict=True)]
    got = now.grad[0].tolist()
    assert got[0] == pytest.approx(gradient[0]) and got[2:] == pytest.approx(gradient[2:])


def test_before_the_first_step_it_is_reinforce() -> None:
    now = NOW.clone().requires_grad_()
    surrogate(now, NOW, torch.tensor([[1.0, -2.0, 0.0, 3.0, 0.5]]), (0.2, 0.2)).sum().backward()
    assert now.grad is not None and now.grad[0].tolist() == pytest.approx([-1.0, 2.0, 0.0, -3.0, -0.5])


def test_a_token_weighs_as_much_as_the_trainer_finds_it_likelier_than_the_engine_did() -> None:
    before = torch.tensor([[math.log(weight) for weight in (0.4, 0.5, 1.5, 5.0, 5.1)]])
    assert importance(before, NONE, (0.49, 5.01))[0].tolist() == pytest.approx([0.0, 0.5, 1.5, 5.0, 0.0])
    assert importance(torch.full((1, 1), 1000.0), torch.zeros(1, 1), (0.5, 5.0)).tolist() == [[0.0]]


def test_the_whole_loss() -> None:
    now, before, sampled = (torch.tensor([[math.log(each)]]) for each in (0.3, 0.2, 0.1))
    advantage = torch.tensor([[2.0]])
    assert clipped_loss(now, before, sampled, advantage, LossSettings((0.2, 0.28), None)).item() == pytest.approx(-2.56)
    # min(1.5, 1.28) * 2, times 0.2 / 0.1
    assert clipped_loss(now, before, sampled, advantage, LossSettings()).item() == pytest.approx(-5.12)

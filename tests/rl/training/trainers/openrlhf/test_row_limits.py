"""Under which flags an episode of several rows may train."""

import pytest

from rl.config import LAPTOP, ConfigError, load_config
from rl.training.trainers.openrlhf.row_limits import check_rows


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["rl.openrlhf.algo.advantage.estimator=gae"], "estimator='gae' .* expected 'rloo' or 'dr_grpo'"),
        (["rl.openrlhf.actor.loss_agg_mode=seq-mean-token-mean"], "expected 'token-mean'"),
        (["rl.openrlhf.train.dynamic_batch_enable=true"], "would not weigh as one"),
        (["rl.openrlhf.reward.overlong_buffer_len=8"], "expected it left out"),
        (
            ["rl.openrlhf.train.batch_size=48", "rl.openrlhf.rollout.micro_batch_size=32"],
            r"expected a multiple of 32 \(rollout.micro_batch_size x 1 ranks\)",
        ),
        (["rl.samples_per_prompt=3"], r"expected a multiple of 3 \(rl.samples_per_prompt\)"),
    ],
)
def test_what_several_rows_cannot_be_trained_with_is_told(overrides: list[str], said: str) -> None:
    config = load_config(LAPTOP, overrides)
    check_rows(config, 1)
    with pytest.raises(ConfigError, match=said):
        check_rows(config, 2)

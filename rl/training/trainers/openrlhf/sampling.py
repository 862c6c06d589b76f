"""Whether episodes are sampled from the distribution that the trainer computes; if not, its gradient is another's.

What is compared, in OpenRLHF 0.11.2 and vLLM 0.29:

- vLLM takes the logits, adds -100 to banned ids, applies penalties, divides by the temperature, applies min-p, top-k
  and top-p, and samples. It reports `processed_logprobs`, those of what is left, where
  `algo.advantage.is_correction_level` is not "off"; else `raw_logprobs`, those of the bare logits, which know no
  temperature.
- The actor's log-probabilities, old and new, are the softmax over all tokens of the logits over `rollout.temperature`.

So both are one distribution if the temperature is the same and nothing is cut off. Under min-p or top-p the weight of a
sampled token is Z, the probability that was kept there. What is estimated then is the sum over kept tokens a of
pi(a) A(a) grad log pi(a): the whole policy's gradient without its tail; and where Z is under the correction's lower
threshold, 0.5, not even that. Without correction the truncated policy's samples weigh as if they were the whole one's.
So neither is offered.

A checkpoint's generation_config gives vLLM only the ids that end a turn: all else is in the request
(agent/policies/sampling_params.py). A call that asks for another temperature, top-p or min-p than its episode is
sampled so and never trained (agent/chat/record/policy_calls.py).

What stays: ids that may never be sampled (the vision tokens) have a share of the trainer's softmax, which it cannot be
told of. It is what a policy that never saw them as an answer gives them; rl/training/exactness.py measures it in every
run.
"""

from collections.abc import Iterator

from rl.config import Config
from rl.training.preflight.finding import Finding


def sampling(config: Config) -> Iterator[Finding]:
    """The settings under which both would differ."""
    flags, temperature = config.rl.openrlhf, config.rl.temperature
    if (top_p := flags.get("rollout.top_p", 1.0)) != 1:
        yield Finding(
            "rl.openrlhf.rollout.top_p",
            f"Got {top_p}, expected it left out: the trainer computes log-probabilities over all tokens, and a policy "
            "sampled without its tail is another one. For less noise lower rl.temperature, which both sides know.",
        )
    if (told := flags.get("rollout.temperature", temperature)) != temperature:
        yield Finding(
            "rl.openrlhf.rollout.temperature",
            f"Got {told} for the trainer beside rl.temperature={temperature} for sampling, expected one: leave the "
            "flag out, rl.temperature sets both.",
        )
    uncorrected = flags.get("algo.advantage.is_correction_level") in (None, False, "off")  # YAML's off is false
    if uncorrected and temperature != 1:
        yield Finding(
            "rl.temperature",
            f"Got {temperature} without importance correction: OpenRLHF then has vLLM report log-probabilities that "
            "know no temperature, so what is recorded is not what was sampled from. Expected rl.temperature=1, or "
            "rl.openrlhf.algo.advantage.is_correction_level=token.",
        )

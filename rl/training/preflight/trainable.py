"""Whether a run can train its graph: can it be opened and asked?"""

import tempfile
from pathlib import Path

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from graphs.app.default_checkpoint import embedded
from graphs.app.loading import GraphError
from rl.config import Config, ConfigError


def check_trainable(config: Config, family: Family | None = None) -> None:
    """Raises ConfigError where a run's graph cannot be opened and asked.

    `family`: of the run's checkpoint; without one that of the embedded policy.
    """
    from rl.rollout.run_parts import open_parts
    from tools.images.store import ImageStore

    with tempfile.TemporaryDirectory() as folder:
        try:
            open_parts(config, family or family_in(embedded()), ImageStore(Path(folder)))
        except GraphError as error:
            raise ConfigError(f"graph: {error}") from error

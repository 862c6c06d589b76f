"""OpenRLHF as a trainer: a child of ours that runs its own command; prompts in, saved checkpoints out.

A training that was cut off goes on from DeepSpeed's last whole checkpoint (resume.py).
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rl.config import Config
from rl.processes.child import run_child
from rl.tasks.task import Task
from rl.training.preflight.finding import Finding
from rl.training.trainers.openrlhf.command import command, environment
from rl.training.trainers.openrlhf.flag_parser import faults_of
from rl.training.trainers.openrlhf.resume import resume_from
from rl.training.trainers.openrlhf.row_limits import check_rows
from rl.training.trainers.openrlhf.sampling import sampling
from rl.training.trainers.openrlhf.tied_weights import as_transformers_saves
from rl.training.trainers.trainer import GpuNeed, Trainer, TrainingJob
from tools.private_files import private_folder, write_private

_SAVED = re.compile(r"global_step(\d+)_hf")


class OpenRLHF(Trainer):
    """OpenRLHF with DeepSpeed and its own vLLM engines; its flags are the config's `rl.openrlhf`."""

    async def train(self, job: TrainingJob) -> None:
        """Trains in processes of its own, behind whatever `rl.openrlhf` says."""
        run = job.run
        prompts = write_prompts(run / "tasks" / "prompts.jsonl", job.tasks)
        temporary = Path(tempfile.mkdtemp(prefix="mv-"))  # short: Ray's sockets live under it
        resume = resume_from(run / "rl" / "checkpoints") > 0
        line = command(job.config, run, job.start, prompts, resume)
        where = environment(job.config, run, temporary)
        await run_child("OpenRLHF", line, where, temporary, run / "logs" / "openrlhf.log", job.tick)

    def saved(self, run: Path) -> Mapping[int, Path]:
        """The Hugging Face folders that it writes every `rl.save_steps`, beside DeepSpeed's own checkpoints."""
        folders = (run / "rl" / "checkpoints").glob("*_hf")
        return {int(match[1]): path for path in folders if (match := _SAVED.fullmatch(path.name))}

    def final(self, run: Path) -> Path:
        """Its output folder, which it writes whenever it ends, also where a kill came between the last step's two
        checkpoints and it had nothing left to train."""
        return run / "rl" / "final"

    def as_transformers_saves(self, folder: Path, base: Path, out: Path) -> Path:
        """Without the second copy that it writes of tied weights."""
        return as_transformers_saves(folder, base, out)

    def findings(self, config: Config) -> Iterator[Finding]:
        """Flags that its parser refuses, and settings by which it would train another policy than was sampled."""
        for flag, said in faults_of(config.rl.openrlhf):
            yield Finding(f"rl.openrlhf.{flag}", said)
        if config.rl.trainer_options:
            said = f"Got {sorted(config.rl.trainer_options)} for OpenRLHF, whose flags are rl.openrlhf: put them there."
            yield Finding("rl.trainer_options", said)
        yield from sampling(config)

    def check_rows(self, config: Config, rows: int) -> None:
        """Several rows an episode want flags under which they weigh as one episode."""
        check_rows(config, rows)

    def gpus(self, config: Config) -> GpuNeed | None:
        """Those of the trainer's ranks and of the rollout engines, or of both at once."""
        flags = config.rl.openrlhf
        if int(flags.get("actor.num_nodes", 1)) > 1:
            return None
        ranks = int(flags.get("actor.num_gpus_per_node", 8))
        engines = int(flags.get("vllm.num_engines", 0)) * int(flags.get("vllm.tensor_parallel_size", 1))
        need = max(ranks, engines) if flags.get("train.colocate_all") else ranks + engines
        return GpuNeed(need, "rl.openrlhf.actor.num_gpus_per_node and vllm.num_engines")

    def commands(self, config: Config, run: Path) -> Mapping[str, Sequence[str]]:
        """OpenRLHF's command line."""
        start, prompts = run / "checkpoints" / "warmup", run / "tasks" / "prompts.jsonl"
        return {"OpenRLHF": command(config, run, start, prompts)}


def write_prompts(path: Path, tasks: Sequence[Task]) -> Path:
    """The tasks as OpenRLHF's prompt dataset: the question, no image (the store has them), and as label the task and
    its place among the prompts, by which a training that goes on knows again what it samples anew. Raises WriteError.
    """
    lines = (
        json.dumps(
            {
                "prompt": task.question,
                "label": json.dumps({"place": place, "task": task.to_plain()}),
                "datasource": task.kind,
            }
        )
        for place, task in enumerate(tasks)
    )
    private_folder(path.parent)
    write_private(path, ("\n".join(lines) + "\n").encode())
    return path

"""`python -m rl.evaluate --policy PATH_OR_URL --tasks a,b,c --graph NAME --samples K`: policies compared.

A POLICY is a checkpoint's folder (served by vLLM while it is asked), the http:// address of a vLLM server, or
PROVIDER:MODEL for a closed model through LangChain (openai:...). NAME=POLICY gives it a name. Several are compared,
each question paired. `--run runs/NAME` stands for its four conditions: no tools, tools untrained, warm-up, trained.
The same command goes on where it was cut off. Research use only, not a medical device.

Exit status: 0 done, 1 stopped on the way (run it again to go on), 2 it could not start.
"""

import argparse
import asyncio
import fcntl
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.chat.provider.names import ModelNameError
from agent.chat.record.ledger import LedgerError
from agent.encoder import EncodingError
from agent.policies.policy import PolicyError
from agent.question import ContextTooSmall
from agent.serving.checkpoint import CheckpointError
from agent.serving.server_command import ServerError
from graphs.app.default_checkpoint import embedded
from graphs.app.loading import GraphError, absolute, find_graph
from rl.config import ROOT, ConfigError, Episode, Evaluate, load_config
from rl.evaluation.folder import EvaluationFolder
from rl.evaluation.plan import PlanError, Settings, agree
from rl.evaluation.result_files import NAME
from rl.evaluation.subjects import PolicyNameError, Subject, check
from rl.rewards.compose import UnscoredError
from rl.rollout.run_parts import CONFIG
from rl.tasks.folder import TaskFileError
from rl.training.publish import trained
from rl.trajectories.origin import origin_of
from tools.private_files import WriteError, private_folder
from tools.registry import load_tools
from tools.run.openmp import sleep_while_waiting

NOTICE = "MedVista: research use only, not a medical device."
RESULTS = ROOT / "runs" / "evaluations"
STOPPED, REFUSED = 1, 2
DEFAULTS = Settings(tasks=())


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rl.evaluate", description=__doc__)
    who = parser.add_argument_group("who is asked")
    who.add_argument("--policy", action="append", default=[], metavar="[NAME=]POLICY", help="may be repeated")
    who.add_argument("--bare-policy", action="append", default=[], metavar="[NAME=]POLICY", help="without any tool")
    who.add_argument("--run", type=Path, help="the four conditions of a run's folder")
    who.add_argument("--checkpoint", type=Path, default=embedded(), metavar="FOLDER")
    who.add_argument("--chat-url", help="address of an OpenAI-compatible service for openai:MODEL")
    what = parser.add_argument_group("what is asked")
    what.add_argument("--tasks", default="phantoms", help="task sets, by comma (default: %(default)s)")
    what.add_argument("--root", type=Path, help="the folder with the sets' files (default: MEDVISTA_DATA's)")
    what.add_argument("--split", default=DEFAULTS.split)
    what.add_argument("--count", type=int, default=DEFAULTS.count, help="tasks of each set (default: %(default)s)")
    what.add_argument("--pairs", type=int, default=DEFAULTS.pairs, help="counterfactual pairs of each set, 0 for none")
    what.add_argument("--samples", type=int, default=1, help="of each question (default: %(default)s)")
    what.add_argument("--temperature", type=float, help="default: 0 for one sample, 1 for several")
    what.add_argument("--seed", type=int, default=0, help="of the sampling")
    how = parser.add_argument_group("how")
    how.add_argument("--graph", default=DEFAULTS.graph, help="a name, module:factory or path/file.py:factory")
    how.add_argument("--tools", help="by comma; default: the run's, or those of the embedded policy")
    for limit in ("turns", "turn-tokens", "context"):
        how.add_argument(f"--{limit}", type=int, help="default: the run's, or those of the embedded policy")
    how.add_argument("--deadline", type=float, metavar="S", help="seconds of an episode")
    how.add_argument("--concurrency", type=int, default=Evaluate().concurrency, help="episodes at once")
    how.add_argument("--out", type=Path, metavar="FOLDER", help="default: runs/evaluations/ and a hash of the settings")
    return parser.parse_args(argv)


def settings_of(asked: argparse.Namespace) -> Settings:
    """The settings of a command line. Raises PlanError, ConfigError."""
    episode = load_config(asked.run / CONFIG).episode if asked.run else Episode()
    if asked.temperature is None:
        asked.temperature = 0.0 if asked.samples == 1 else 1.0
    asked.graph, tools = absolute(asked.graph), asked.tools
    named: tuple[str, ...] = episode.tools if tools is None else tuple(filter(None, str(tools).split(",")))
    try:
        source = find_graph(asked.graph)
        origin = origin_of(source.module, load_tools(list(named)) if named else [], source.name)
    except (GraphError, ValueError) as error:
        raise PlanError(str(error)) from error
    if asked.samples > 1 and asked.temperature == 0:
        raise PlanError(f"Got {asked.samples} samples at temperature 0, which are all alike; give --temperature 1.")
    return Settings(
        tasks=tuple(asked.tasks.split(",")),
        split=asked.split,
        count=asked.count,
        graph=asked.graph,
        graph_version=origin.graph_version,
        tools=named,
        tool_versions=dict(origin.tools),
        turns=asked.turns or episode.turns,
        turn_tokens=asked.turn_tokens or episode.turn_tokens,
        context=asked.context or episode.context,
        samples=asked.samples,
        temperature=asked.temperature,
        seed=asked.seed,
        pairs=asked.pairs,
        deadline_s=asked.deadline,
    )


def subjects_of(asked: argparse.Namespace) -> list[Subject]:
    """Who is asked. Raises PolicyNameError, CheckpointError."""
    found = [_subject(each, True) for each in asked.policy] + [_subject(each, False) for each in asked.bare_policy]
    if asked.run:
        versions = asked.run / "checkpoints"
        last = trained(versions, load_config(asked.run / CONFIG))
        base = str(versions / "base")
        found += [Subject("no_tools", base, tools=False), Subject("tools_untrained", base)]
        found += [Subject("warmup", str(versions / "warmup")), Subject("trained", str(last.folder))]
    if not found:
        raise PolicyNameError("Got no policy, expected --policy, --bare-policy or --run.")
    if len({each.name for each in found}) < len(found):
        raise PolicyNameError(f"Got the names {[each.name for each in found]}, expected each once: use NAME=POLICY.")
    return found


def _subject(word: str, tools: bool) -> Subject:
    name, named, spec = word.partition("=")
    if not named or not name.replace("-", "_").isidentifier():
        name, spec = "", word
    check(spec)
    short = Path(spec).resolve().name if Path(spec).is_dir() else spec.rpartition("/")[2].replace(":", "-")
    return Subject(name or (short if tools else f"{short}-bare"), spec, tools)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    sleep_while_waiting()
    asked = parse(argv)
    print(NOTICE)
    try:
        settings, subjects = settings_of(asked), subjects_of(asked)
        folder = asked.out or RESULTS / settings.name
        private_folder(folder)
        with (folder / ".at_work").open("w") as at_work:
            fcntl.flock(at_work, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, however it ends
            everybody = agree(folder, settings, subjects)
            run = EvaluationFolder(folder, settings, asked.checkpoint, asked.concurrency, asked.chat_url, asked.root)
            asyncio.run(run.all(everybody))
    except BlockingIOError:
        print(f"error: Got {asked.out}, in which another process is at work; wait for it.", file=sys.stderr)
        return REFUSED
    except (
        PlanError,
        PolicyNameError,
        ModelNameError,
        ConfigError,
        CheckpointError,
        TaskFileError,
        EncodingError,
        LookupError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    except (WriteError, PolicyError, ServerError, LedgerError, UnscoredError, ContextTooSmall) as error:
        print(f"error: {error}\nWhat was finished is kept: run the same command again to go on.", file=sys.stderr)
        return STOPPED
    print((folder / f"{NAME}.md").read_text(encoding="utf-8"))
    print(f"results: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

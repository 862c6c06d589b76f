"""What `python -m rl.train --dry-run` refuses: all that would end a run after its warm-up, told at once.

Every fault is one of real files: a folder of questions, images that are damaged or copied, a graph with a bug.
"""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from rl.config import LAPTOP, ROOT
from rl.train import main
from tests.rl.training.preflight.conftest import change


def dry_run(run: Path, *overrides: str) -> int:
    return main(["--config", str(LAPTOP), "--run", str(run), "--dry-run", *overrides])


def faults(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("episode.tools=[zoom_inn]", "error: episode.tools: Got the tool name 'zoom_inn'.* Did you mean zoom_in"),
        ("episode.isolated={zoom_inn: {}}", r"error: episode.isolated: Got 'zoom_inn', .* Did you mean zoom_in"),
        (
            "episode.on_ray={find: {}}",
            r"error: episode.on_ray: Got 'find', expected one of episode.tools \(meas",
        ),
        (
            "rl.rewards.anwser=1",
            "error: rl.rewards: Got the component 'anwser', expected one of .* Did you mean answer",
        ),
        ("tasks.set=phantom", "error: tasks.set: Got the task set 'phantom', expected one of .* Did you mean phantoms"),
        ("tasks.set=no/such/folder", "error: tasks: Got no no/such/folder/.*jsonl"),
        ("tasks.options.colour=red", r"error: tasks.options: Got \['colour'\] for phantoms"),
        ("tasks.set=vqa_rad", "error: tasks: Got no VQA_RAD.* neither root nor MEDVISTA_DATA is given"),
        ("base.lessons=rl.toy.curriculum:Cells", "error: base.lessons: Got lessons on cells without images"),
        ("base.checkpoint=nowhere", "error: base.checkpoint: Got no checkpoint in .*nowhere"),
        ("tasks.test=0", "error: tasks.test: Got no question to measure on"),
        ("graph=second_opinon", "error: graph: Got the graph 'second_opinon'.* Did you mean second_opinion"),
        (
            "rl.openrlhf.actor.adam.speed=3",
            "error: rl.openrlhf.actor.adam.speed: Got a flag that OpenRLHF does not know",
        ),
        ("rl.openrlhf.vllm.num_engine=1", "error: rl.openrlhf.vllm.num_engine: .* Did you mean vllm.num_engines"),
        ("rl.openrlhf.train.batch_size=many", "error: rl.openrlhf.train.batch_size: Got 'many', .* invalid int value"),
        ("rl.openrlhf.algo.advantage.estimator=grpo", "estimator: Got 'grpo', .* invalid choice"),
        ("episode.context=48", "error: episode.context: Got 48, but .* questions with their images fill it"),
    ],
)
def test_a_name_or_number_that_cannot_work_is_refused(
    override: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDVISTA_DATA", raising=False)
    assert dry_run(tmp_path / "run", override) == 2
    (fault, *more) = faults(capsys.readouterr().err)
    assert not more or "tasks" in override
    assert_matches(said, fault)
    assert not (tmp_path / "run").exists()


def assert_matches(pattern: str, text: str) -> None:
    import re

    assert re.search(pattern, text), text


def test_all_faults_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        dry_run(tmp_path / "run", "episode.tools=[nope, zoom_in, nor_this]", "rl.rewards.nope=1", "tasks.set=nope") == 2
    )
    told = faults(capsys.readouterr().err)
    assert [line.split(": ")[1] for line in told] == ["episode.tools", "episode.tools", "rl.rewards", "tasks.set"]


def test_a_folder_that_can_be_used_passes_and_leaves_nothing(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry_run(tmp_path / "run", f"tasks.set={own}") == 0
    assert faults(capsys.readouterr().err) == []
    assert not (tmp_path / "run").exists()


def test_every_line_and_image_of_a_folder_is_looked_at(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "train-1.png").write_bytes(b"no picture")
    change(own, "train", 2, grader="exakt")
    change(own, "test", 1, image="gone.png")
    change(own, "test", 2, question="\ud800")
    assert dry_run(tmp_path / "run", f"tasks.set={own}", "rl.rewards.nope=1") == 2
    told = faults(capsys.readouterr().err)
    assert len(told) == 5
    for fault, said in zip(
        sorted(told[:5]),
        ["rl.rewards", "test.jsonl, line 1: Got a path where", "line 2: got half", "line 1: Got", "'exakt', expected"],
        strict=True,
    ):
        assert said in fault


def test_a_copy_of_a_test_image_under_another_name_is_a_leak(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(own / "test-1.png", own / "harmless.png")
    change(own, "train", 1, image="harmless.png")
    assert dry_run(tmp_path / "run", f"tasks.set={own}") == 2
    (fault,) = faults(capsys.readouterr().err)
    assert "Got 1 images of test whose pixels are in train too" in fault


def test_the_same_pixels_in_another_file_with_another_spacing_are_a_leak(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.open(own / "test-1.png").save(own / "other.bmp")
    change(own, "train", 1, image="other.bmp", spacing=[0.5, 0.5])
    assert dry_run(tmp_path / "run", f"tasks.set={own}") == 2
    assert "pixels are in train too" in capsys.readouterr().err


def test_a_call_that_a_turn_cannot_hold_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run(tmp_path / "run", "episode.tools=[zoom_in, image_information, count_objects]") == 2
    (fault,) = faults(capsys.readouterr().err)
    assert "episode.turn_tokens: Got 32, but a call with a short thought costs" in fault
    assert "(image_information)" in fault and "(count_objects)" in fault and "(zoom_in)" not in fault
    needed = fault.partition("episode.turn_tokens=")[2].partition(",")[0]
    assert (
        dry_run(
            tmp_path / "run",
            "episode.tools=[zoom_in, image_information, count_objects]",
            f"episode.turn_tokens={needed}",
        )
        == 0
    )


GRAPH = """from langgraph.graph import START, StateGraph
from agent.answer import Answered
from graphs.parts.state import shown

def factory(model, tools):
    {made}
    async def read(state):
        {read}
    graph = StateGraph(Answered)
    graph.add_node(read)
    graph.add_edge(START, "read")
    return graph.compile()
"""
ASKS = "return {'answer': (await model.ainvoke([shown(state['images'], state['question'])])).text}"


@pytest.mark.parametrize(
    ("made", "read", "said"),
    [
        ("pass", ASKS, None),
        ("raise KeyError('lesion')", ASKS, "whose factory raises KeyError: 'lesion' (line 6 of mine.py, in factory"),
        ("pass", "return {'answer': state['lesion']}", "has a bug; .* KeyError: 'lesion' (line 8 of mine.py, in read"),
        ("pass", "return {'answer': 'yes'}", "ended without asking its policy"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused(
    made: str, read: str, said: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.py").write_text(GRAPH.format(made=made, read=read))
    assert dry_run(tmp_path / "run", f"graph={tmp_path}/mine.py") == (2 if said else 0)
    told = faults(capsys.readouterr().err)
    assert len(told) == bool(said)
    for part in (said or "").split(" .* "):
        assert part in "".join(told)


def test_a_graph_that_cannot_take_the_questions_is_refused(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry_run(tmp_path / "run", f"tasks.set={own}", "graph=compare_prior") == 2
    (fault,) = faults(capsys.readouterr().err)
    assert "Got 1 images, expected two" in fault


@pytest.mark.parametrize("start", [["--dry-run"], []])
def test_a_folder_that_cannot_be_written_is_refused(
    start: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--config", str(LAPTOP), "--run", str(tmp_path / "file" / "run"), *start]) == 2
    assert "error: --run: Got" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--config", str(LAPTOP), "--run", str(tmp_path / "run"), "--dry-run"])  # all is imported
    capsys.readouterr()
    for place in (tmp_path, *list(tmp_path.parents)[:-2]):
        place.chmod(0o755)
    os.seteuid(65534)
    try:
        status = main(["--config", str(LAPTOP), "--run", str(tmp_path / "run")])
    finally:
        os.seteuid(0)
    assert status == 2
    assert f"but {tmp_path} cannot be written" in capsys.readouterr().err


def test_a_disk_that_is_too_small_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9, 10**6))
    assert dry_run(tmp_path / "run") == 2
    (fault,) = faults(capsys.readouterr().err)
    assert "Got 0.0 GiB free" in fault and "the run has about" in fault


@pytest.mark.parametrize(("whole", "free", "status"), [(2, 2, 2), (64, 1, 0), (64, 64, 0)])
def test_too_little_memory_is_refused_and_tight_memory_told(
    whole: int,
    free: int,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"MemTotal": whole * 2**30, "SwapTotal": 0, "MemAvailable": free * 2**30}
    monkeypatch.setattr("rl.training.preflight.room._meminfo", lambda: known)
    assert dry_run(tmp_path / "run") == status
    told = capsys.readouterr().err
    assert ("error: device: Got a machine with 2.0 GiB" in told) == (status == 2)
    assert ("warning: device: Got 1.0 GiB of free memory" in told) == (free == 1)


@pytest.mark.parametrize("config", ["laptop", "microscopy", "medvista-8b"])
def test_the_tools_of_the_shipped_configurations_fit(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--config", str(ROOT / "configs" / f"{config}.yaml"), "--run", "/tmp/none", "--dry-run"])
    assert "turn_tokens" not in capsys.readouterr().err

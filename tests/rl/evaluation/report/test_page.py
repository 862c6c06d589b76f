"""report.html: whole, by itself, safe to open, and honest about what is missing."""

import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rl.evaluation.metrics import Episodes, gains, measure
from rl.evaluation.plan import Settings
from rl.evaluation.report.page import render_page
from rl.evaluation.result_files import write_evaluation, write_report
from rl.evaluation.schema import CONDITIONS, Evaluation, Exactness, Policy, Report, Stage, Swap
from rl.trajectories.record import Trajectory
from tools.errors import ImageError
from tools.images.store import ImageStore
from tools.private_files import write_whole

MakeEpisode = Callable[..., Trajectory]
VOID = {"meta", "link", "img", "br", "source"}


class Parsed(HTMLParser):
    """The page's text, what it loads, and whether its tags match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style",):
            self.words.append(data)


def measured(made: Sequence[Trajectory], store: ImageStore) -> Policy:
    return measure(
        Episodes(made, sizes={image: store.get(image).size for each in made for image in each.task["images"]})
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, phantom: MakeEpisode, store: ImageStore) -> Path:
    """A run's folder with its whole report: 12 tasks, all wrong before, all but one right after."""
    before = [phantom(i, right=False, look=i % 2 == 0, aside=90) for i in range(12)]
    after = [phantom(i, right=i != 7) for i in range(12)]
    asked = {"tools_untrained": before, "trained": after}
    report = Report(
        conditions=dict.fromkeys(CONDITIONS) | {name: measured(made, store) for name, made in asked.items()},
        gain=dict(gains(asked)),
        stages={"rl": Stage(seconds=512.9)},
        swaps=(Swap(version="rl-0001", seconds=0.117, failed_requests=0),),
        exactness=Exactness(trajectories=3840, refused=2, mean_logprob_difference=0.0036),
        versions={"vllm": "0.29.0"},
    )
    rows = [{"step": step, "reward_mean": step / 10} for step in range(10)]
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_report(folder, report, rows, asked, store)
    return folder


def test_all_four_files_are_there_and_nothing_half_written(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == ["accuracy.png", "curves.png", "report.html", "report.json"]


def test_the_json_holds_the_figures(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    assert report["conditions"]["trained"]["accuracy"] == pytest.approx(11 / 12)
    assert report["conditions"]["tools_untrained"]["accuracy"] == 0.0
    assert report["conditions"]["no_tools"] is None
    assert report["gain"]["over_tools_untrained"]["points"] == pytest.approx(100 * 11 / 12)
    assert report["gain"]["over_no_tools"]["points"] is None
    assert report["conditions"]["trained"]["centre_hit_rate"] == 1.0
    assert report["conditions"]["tools_untrained"]["centre_hit_rate"] == 0.0


def test_the_page_loads_nothing_from_elsewhere(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Parsed(text)
    assert page.open == [] and "script" not in page.tags
    assert page.loads and all(load.startswith(("data:", "#scan-")) for load in page.loads)
    assert "url(" not in text and "@import" not in text


def test_the_page_says_what_was_found(run: Path) -> None:
    text = Parsed((run / "report.html").read_text()).text
    assert "Research use only, not a medical device." in text
    assert "+91.7 points over the same policy with tools, untrained" in text
    assert (
        "11 are wrong of “tools, untrained” and right of “trained”, 0 the other way round; 0 are right both times"
        in text
    )
    assert "8 min 33 s" in text and "0.12 s" in text and "3,840" in text and "vllm 0.29.0" in text


def test_examples_are_pairs_with_each_scan_once(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Parsed(text)
    assert page.tags.count("article") == 8
    assert page.tags.count("image") == 8 and page.tags.count("use") == 16
    assert len(re.findall(r'class="verdict no"', text)) == 9
    assert len(re.findall(r'class="verdict yes"', text)) == 7


def test_an_evaluation_writes_the_same_page(phantom: MakeEpisode, store: ImageStore, tmp_path: Path) -> None:
    asked = {
        "guesses": [phantom(i, right=i < 4, look=False) for i in range(12)],
        "half": [phantom(i, right=i < 6) for i in range(12)],
        "looks": [phantom(i, right=i != 7) for i in range(12)],
    }
    found = {
        name: Episodes(made, sizes={image: (512, 512) for each in made for image in each.task["images"]})
        for name, made in asked.items()
    }
    write_evaluation(tmp_path, Settings(tasks=("phantoms",)), found, store)
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"evaluation.{kind}" for kind in ("json", "md")),
        *(f"{name}.png" for name in ("accuracy", "looking", "coverage")),
        "report.html",
    }
    page = Parsed((tmp_path / "report.html").read_text())
    assert page.open == [] and all(load.startswith(("data:", "#scan-")) for load in page.loads)
    assert "3 policies on 12 questions about 12 images" in page.text
    for difference in ("half over guesses +16.7", "looks over guesses +58.3", "looks over half +41.7"):
        assert difference in page.text
    assert "7 are wrong of “guesses” and right of “looks”, 0 the other way round" in page.text
    assert page.tags.count("article") == 8 and page.tags.count("use") == 16
    for of_training_only in ("While it trained", "Swaps", "Exactness", "goal"):
        assert of_training_only not in page.text


def test_one_policy_is_shown_alone(phantom: MakeEpisode, store: ImageStore) -> None:
    made = [phantom(i, right=i != 2) for i in range(3)]
    settings = Settings(tasks=("phantoms",)).model_dump(mode="json")
    report = Evaluation(settings=settings, policies={"looks": measured(made, store)}, differences=())
    page = Parsed(render_page("e", report, {"looks": made}, store).decode())
    assert "1 policy on 3 questions" in page.text and "Differences" not in page.text
    assert "Of 3 tasks, 2 are right and 1 wrong." in page.text
    assert page.tags.count("article") == 3 and page.tags.count("use") == 3


def test_what_is_missing_is_said_and_never_zero(store: ImageStore) -> None:
    text = Parsed(render_page("r", Report(), {}, store).decode()).text
    assert "The gain of training was not measured" in text
    assert text.count("not measured") >= 3 + 4 + 4 + 4
    assert "No training steps were reported." in text and "No swap was reported." in text
    assert not re.search(r"\b0(\.0+)?\b", text)


def test_text_of_a_policy_cannot_become_markup(phantom: MakeEpisode, store: ImageStore) -> None:
    attack = '"><script>alert(1)</script><img src=http://example.org/x onerror=alert(1)>'
    shown = {"x": [phantom(0, right=False, thought=attack)], attack: [phantom(0, right=True, thought=attack)]}
    page = Parsed(render_page(attack, Report(versions={attack: attack}), shown, store).decode())
    assert "script" not in page.tags and page.open == []
    assert all(load.startswith(("data:", "#scan-")) for load in page.loads)
    assert page.text.count("<script>alert(1)</script>") >= 4


def test_figures_survive_a_page_that_cannot_be_drawn(tmp_path: Path, phantom: MakeEpisode, store: ImageStore) -> None:
    episodes = [phantom(0, right=True)]
    with pytest.raises(ImageError):
        shown = {"tools_untrained": episodes, "trained": episodes}
        write_report(tmp_path / "run", Report(), [], shown, ImageStore(tmp_path / "empty"))
    assert (tmp_path / "run" / "report.json").exists() and not (tmp_path / "run" / "report.html").exists()


def test_a_file_is_replaced_whole_or_not_at_all(small_disk: Path) -> None:
    path = write_whole(small_disk / "deep" / "report.json", b"old")
    with pytest.raises(OSError, match=r"Got no room to write .*report\.json"):
        write_whole(path, b"x" * 2**21)
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]

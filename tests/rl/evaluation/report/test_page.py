"""report.html: whole, by itself, safe to open, and honest about what is missing."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rl.evaluation.report.metrics import exactness, gains, summarise
from rl.evaluation.report.page import render_page
from rl.evaluation.report.report import write_report
from rl.evaluation.report.schema import Report
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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, phantom: MakeEpisode, store: ImageStore) -> Path:
    """A run's folder with its whole report: 12 tasks, all wrong before, all but one right after."""
    before = [phantom(i, right=False, look=i % 2 == 0, aside=90) for i in range(12)]
    after = [phantom(i, right=i != 7) for i in range(12)]
    report = {
        "conditions": {"tools_untrained": summarise(before), "trained": summarise(after)},
        "gain": gains({"tools_untrained": before, "trained": after}),
        "stages": {"rl": {"seconds": 512.9}},
        "swaps": [{"version": "rl-0001", "seconds": 0.117, "failed_requests": 0, "stale_answers": None}],
        "exactness": exactness(3840, 2, 0.0036, 0.21),
        "versions": {"vllm": "0.29.0"},
    }
    rows = [{"step": step, "reward_mean": step / 10} for step in range(10)]
    folder = tmp_path_factory.mktemp("runs") / "run"
    write_report(folder, report, rows, before, after, store)
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
    assert "training mended 11 and broke 0; 0 were right both times and 1 wrong both times" in text
    assert "8 min 33 s" in text and "0.12 s" in text and "3,840" in text and "vllm 0.29.0" in text


def test_examples_are_pairs_with_each_scan_once(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Parsed(text)
    assert page.tags.count("article") == 8
    assert page.tags.count("image") == 8 and page.tags.count("use") == 16
    assert len(re.findall(r'class="verdict no"', text)) == 9
    assert len(re.findall(r'class="verdict yes"', text)) == 7


def test_what_is_missing_is_said_and_never_zero(store: ImageStore) -> None:
    text = Parsed(render_page("r", Report.model_validate({}), [], [], store).decode()).text
    assert "The gain of training was not measured" in text
    assert text.count("not measured") >= 3 + 4 + 4 + 4
    assert "No training steps were reported." in text and "No swap was reported." in text
    assert not re.search(r"\b0(\.0+)?\b", text)


def test_text_of_a_policy_cannot_become_markup(phantom: MakeEpisode, store: ImageStore) -> None:
    attack = '"><script>alert(1)</script><img src=http://example.org/x onerror=alert(1)>'
    pair = phantom(0, right=False, thought=attack), phantom(0, right=True, thought=attack)
    versions = {"versions": {attack: attack}, "conditions": {}}
    page = Parsed(render_page(attack, Report.model_validate(versions), [], [pair], store).decode())
    assert "script" not in page.tags and page.open == []
    assert all(load.startswith(("data:", "#scan-")) for load in page.loads)
    assert page.text.count("<script>alert(1)</script>") >= 4


def test_figures_survive_a_page_that_cannot_be_drawn(tmp_path: Path, phantom: MakeEpisode, store: ImageStore) -> None:
    episodes = [phantom(0, right=True)]
    with pytest.raises(ImageError):
        write_report(tmp_path / "run", {}, [], episodes, episodes, ImageStore(tmp_path / "empty"))
    assert (tmp_path / "run" / "report.json").exists() and not (tmp_path / "run" / "report.html").exists()


def test_a_file_is_replaced_whole_or_not_at_all(small_disk: Path) -> None:
    path = write_whole(small_disk / "deep" / "report.json", b"old")
    with pytest.raises(OSError, match=r"Got no room to write .*report\.json"):
        write_whole(path, b"x" * 2**21)
    assert path.read_bytes() == b"old" and list(path.parent.iterdir()) == [path]

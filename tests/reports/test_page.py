"""The page of every kind of run against its recording, and what a page may never hold."""

import html.parser
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.records.change import Landing
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from reports.page import diff_kind, render, write_report

RECORDED = Path(__file__).parent / "recorded"
KINDS = ("won", "no_win", "untimed", "empty")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(kind: str, request: pytest.FixtureRequest) -> Run:
    found = request.getfixturevalue(kind)
    assert isinstance(found, Run)
    return found


def test_the_page_is_what_was_recorded(
    kind: str, run: Run, harness: Harness, landing: Landing, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    recorded = RECORDED / f"{kind}.html"
    written = write_report(run, harness, landing if kind == "won" else None, tmp_path / "deep" / "report.html")
    if pytestconfig.getoption("--update-recordings"):
        shutil.copy(written, recorded)
    assert written.read_text() == recorded.read_text()


def test_equal_records_give_equal_bytes(run: Run, harness: Harness) -> None:
    assert render(run, harness, None) == render(replace(run), harness, None)


class Reader(html.parser.HTMLParser):
    """Which tags are open, what was fetched, and the text that a reader sees."""

    VOID = ("meta", "link", "img", "br", "input", "path", "rect", "line", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [
            f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if (self.open and self.open[-1] not in ("style", "title")) or "svg" in self.open:
            self.seen.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_fetches_nothing(run: Run, harness: Harness) -> None:
    page = render(run, harness, None)
    assert read(page).fetched == []
    assert not re.search(r"url\(|@import|<script|https?://", page)


def test_what_candidates_say_is_shown_and_not_obeyed(won: Run, harness: Harness) -> None:
    page = render(won, harness, None)
    assert "&lt;b&gt;not bold&lt;/b&gt; &amp; more" in page
    assert "<b>not bold" not in page
    assert "skip what was seen &lt;before&gt;" in page


def test_every_candidate_stands_in_it_with_its_ending(run: Run, harness: Harness) -> None:
    text = " ".join(read(render(run, harness, None)).seen)
    for one in run.evaluations:
        assert one.candidate.plan.edit in text
        assert getattr(one.verdict, "reason", "right (") in text


def test_without_a_gpu_no_time_and_no_speedup_stands_in_it(untimed: Run, harness: Harness) -> None:
    text = " ".join(read(render(untimed, harness, None)).seen)
    assert "Right, but not timed" in text
    assert "No GPU: nothing here was timed." in text
    assert not re.search(r"\d\s*(×|µs|GB/s|MHz)", text)
    assert "as fast" not in text


def test_a_loss_stands_beside_the_wins(won: Run, harness: Harness) -> None:
    text = " ".join(" ".join(read(render(won, harness, None)).seen).split())
    assert "2 of 3 workloads faster 1 of 3 workloads slower" in text
    assert "right (rounding-only); 1.138×; slower on T4096" in text


def test_the_numbers_are_the_records(won: Run, harness: Harness) -> None:
    """Every ratio and every time in the page is one that the records' numbers round to."""
    text = " ".join(read(render(won, harness, None)).seen)
    ratios, times = {"0"}, {0.0}
    for one in won.evaluations:
        timing = getattr(one.verdict, "timing", None)
        for part in [timing, *(timing.workloads if timing else ())]:
            for found in (getattr(part, name, None) for name in ("speedup", "noise", "eager")):
                ratios |= {f"{value:.3f}" for value in (found.ratio, found.low, found.high)} if found else set()
        for workload in timing.workloads if timing else ():
            times |= {
                *workload.original_us,
                *workload.candidate_us,
                *([workload.floor_us] if workload.floor_us else []),
            }
    shown = re.findall(r"(\d+\.\d{3})\s*×", text)
    assert shown
    assert set(shown) <= ratios
    for value in re.findall(r"([\d.]+) → [\d.]+ µs", text) + re.findall(r"[\d.]+ → ([\d.]+) µs", text):
        assert any(abs(float(value) - time) <= 0.005 * max(time, 1) for time in times), value


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("diff --git a/x b/x", "meta"),
        ("--- a/x", "meta"),
        ("+++ b/x", "meta"),
        ("@@ -1 +1 @@", "hunk"),
        ("+new", "add"),
        ("-old", "del"),
        (" same", "same"),
        ("", "same"),
    ],
)
def test_lines_of_a_diff_are_told_apart(line: str, kind: str) -> None:
    assert diff_kind(line) == kind


@pytest.mark.slow
def test_a_browser_draws_it_on_a_phone_without_scrolling_sideways(won: Run, harness: Harness, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: the page was not drawn")
    page = write_report(won, harness, None, tmp_path / "report.html")
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--virtual-time-budget=500",
    )
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script>"
    frame = tmp_path / "frame.html"
    frame.write_text(page.read_text().replace("</body>", f"{probe}</body>"))
    words = [
        browser,
        *flags,
        "--window-size=500,900",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        str(frame),
    ]
    drawn = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    wide, of = re.search(r"<title>(\d+) of (\d+)</title>", drawn).groups()  # type: ignore[union-attr]
    assert int(wide) <= int(of)

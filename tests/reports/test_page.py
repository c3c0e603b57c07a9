"""The page of every kind of run against its recording, and what a page may never hold."""

import html.parser
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint.records.harness import Harness
from kmaint.records.run import Run
from reports.page import Account, branches, diff_kind, render, write_report

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
    kind: str, run: Run, harness: Harness, account: Account, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    recorded = RECORDED / f"{kind}.html"
    told = account if kind == "won" else Account(run=run, harness=harness)
    written = write_report(told, tmp_path / "deep" / "report.html")
    if pytestconfig.getoption("--update-recordings"):
        shutil.copy(written, recorded)
    assert written.read_text() == recorded.read_text()


def test_equal_records_give_equal_bytes(run: Run, harness: Harness) -> None:
    account = Account(run=run, harness=harness)
    assert render(account) == render(replace(account, run=replace(run)))


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
    page = render(Account(run=run, harness=harness))
    assert read(page).fetched == [f"a href=#c-{one.candidate.id}" for one in run.evaluations]
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|<script|https?://", page)


def test_what_candidates_say_is_shown_and_not_obeyed(won: Run, harness: Harness) -> None:
    page = render(Account(run=won, harness=harness))
    assert "&lt;b&gt;not bold&lt;/b&gt; &amp; more" in page
    assert "<b>not bold" not in page
    assert "skip what was seen &lt;before&gt;" in page


def test_every_candidate_stands_in_it_with_its_ending(run: Run, harness: Harness) -> None:
    text = " ".join(read(render(Account(run=run, harness=harness))).seen)
    for one in run.evaluations:
        assert one.candidate.plan.edit in text
        assert getattr(one.verdict, "reason", "right (") in text


def test_without_a_gpu_no_time_and_no_speedup_stands_in_it(untimed: Run, harness: Harness) -> None:
    text = " ".join(read(render(Account(run=untimed, harness=harness))).seen)
    assert "Right, but not timed" in text
    assert "No GPU: nothing here was timed." in text
    assert not re.search(r"\d\s*(×|µs|GB/s|MHz)", text)
    assert "as fast" not in text


def test_a_loss_stands_beside_the_wins(won: Run, harness: Harness) -> None:
    text = " ".join(" ".join(read(render(Account(run=won, harness=harness))).seen).split())
    assert "2 of 3 workloads faster 1 of 3 workloads slower" in text
    assert "right (rounding-only); 1.138×; slower on T4096" in text


def test_the_numbers_are_the_records(won: Run, harness: Harness) -> None:
    """Every ratio and every time in the page is one that the records' numbers round to."""
    text = " ".join(read(render(Account(run=won, harness=harness))).seen)
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


def words(page: str) -> str:
    return " ".join(" ".join(read(page).seen).split())


def test_a_candidate_hangs_on_the_one_it_was_made_from_and_none_is_lost(won: Run) -> None:
    first, *rest = branches(won)
    assert (first.judged.edit, [one.judged.edit for one in first.branches]) == ("num_warps", ["keep_exponentials"])
    assert len(rest) == len(won.evaluations) - 2
    turned = branches(replace(won, evaluations=won.evaluations[::-1]))
    assert sorted(one.judged.id for one in turned) == sorted(one.candidate.id for one in won.evaluations)


PROBE = """<script>
addEventListener("error", e => { document.title = "error " + e.message; });
addEventListener("load", async () => {
  const link = document.querySelector(".tree .best > a"), target = document.querySelector(link.hash);
  const said = [document.documentElement.scrollWidth <= innerWidth, link.tabIndex, target.closest("details").open];
  link.focus(); link.click();
  await new Promise(done => setTimeout(done, 100));
  said.push(document.activeElement === link || location.hash === link.hash, target.closest("details").open);
  said.push(document.querySelectorAll("svg.figure").length);
  if (!document.title.startsWith("error")) document.title = said.join("; ");
});
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1400])
def test_a_browser_draws_it_whole_and_leads_from_the_tree_to_the_candidate(
    account: Account, tmp_path: Path, width: int
) -> None:
    """No wider than the screen; the policy of the page forbids scripts, so the probe's copy is without it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: the page was not drawn")
    page = tmp_path / "report.html"
    page.write_text(re.sub(r"<meta http-equiv[^>]*>", "", render(account)).replace("</body>", f"{PROBE}</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    told = [browser, *flags, "--virtual-time-budget=2000", f"--window-size={width},900"]
    told += [f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    drawn = subprocess.run(told, capture_output=True, text=True, timeout=120, check=True).stdout
    title = re.search(r"<title>(.*?)</title>", drawn)
    assert title is not None
    assert title[1] == "true; 0; false; true; true; 4"

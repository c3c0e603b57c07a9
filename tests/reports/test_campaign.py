"""The page of many runs against its recording, and what a reader does with it."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kmaint import wire
from kmaint.records.engine import EngineBench
from kmaint.records.exchange import Usage
from kmaint.records.harness import Harness
from kmaint.records.run import Run
from kmaint.records.spent import Spent
from reports.campaign import Entry, render, write_campaign
from tests.reports.test_page import read

RECORDED = Path(__file__).parent / "recorded" / "campaign.html"
MEASURED = Path(__file__).parents[2] / "benchmarks" / "results" / "2026-11-21-h200"
ASKED = Spent(
    candidates=2,
    usage=Usage(requests=3, input_tokens=41_000, output_tokens=9_500, cost_usd=0.62),
    faults=1,
    device_minutes=7.5,
    wall_minutes=None,
)


def of(harness: Harness, kernel: str) -> Harness:
    """The harness under another kernel's name."""
    return replace(harness, kernel=kernel, provenance=replace(harness.provenance, symbol=kernel))


@pytest.fixture
def entries(won: Run, no_win: Run, untimed: Run, empty: Run, harness: Harness, engine: EngineBench) -> list[Entry]:
    """A kernel that two providers worked on, one that was not timed, and one on which nothing was worth the gate."""
    by_hand = replace(no_win, id="merge_state_kernel-5e6f", provider="handoff")
    other = replace(untimed, id="quant-9a8b", kernel="sglang/a.py::quant")
    left = replace(empty, id="norm-<7>", kernel="sglang/b.py::norm")
    free = Spent(candidates=8, device_minutes=21.04, wall_minutes=24.7)
    return [
        Entry(run=by_hand, harness=harness, spent=ASKED, page="runs/merge_state_kernel-5e6f/report.html"),
        Entry(run=left, harness=of(harness, "norm"), spent=Spent(), page=""),
        Entry(run=other, harness=of(harness, "quant"), spent=replace(free, device_minutes=0.0), page="x/report.html"),
        Entry(run=won, harness=harness, spent=free, page="runs/merge_state_kernel-1a2b3c4d/report.html", engine=engine),
    ]


def test_the_page_is_what_was_recorded(entries: list[Entry], tmp_path: Path, pytestconfig: pytest.Config) -> None:
    written = write_campaign(entries, tmp_path / "deep" / "campaign.html")
    if pytestconfig.getoption("--update-recordings"):
        shutil.copy(written, RECORDED)
    assert written.read_text() == RECORDED.read_text()
    assert render([replace(entry) for entry in entries]) == RECORDED.read_text()


def test_it_is_whole_and_fetches_nothing_and_links_only_to_the_runs(entries: list[Entry]) -> None:
    page = render(entries)
    pages = [entry.page for entry in entries if entry.page]
    assert sorted(read(page).fetched) == sorted(f"a href={link}" for link in pages)
    assert not re.search(r"url\(|@import|https?://| src=", page)
    assert "default-src 'none'" in page
    assert page.count("<script>") == 1


def test_what_a_run_says_is_shown_and_not_obeyed(entries: list[Entry]) -> None:
    page = render(entries)
    assert "norm-&lt;7&gt;" in page
    assert "<7>" not in page
    assert "skip what was seen &lt;before&gt;" in page
    assert "<b>not bold" not in page


def rows(page: str) -> list[str]:
    """What stands in the line of each kernel, in words."""
    lines = re.findall(r'<tr class="kernel".*?</tr>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in lines]


def test_each_kernel_is_a_line_with_its_best_run_and_the_cost_of_all(entries: list[Entry]) -> None:
    first, second, third = rows(render(entries))
    assert first == (
        "merge_state_kernel sglang 0.5.17 win 1.138× 1.071× 20.6 18.1 10.6 66 % → 83 % builtin "
        "keep_exponentials 10 28.5 min $0.62"
    )
    assert second.startswith("quant sglang 0.5.17 not timed builtin keep_exponentials 8 0.0 min $0.00")
    assert third == "norm sglang 0.5.17 no win builtin 0 0.0 min $0.00"


def test_what_was_tried_and_failed_stands_below(entries: list[Entry]) -> None:
    text = " ".join(" ".join(read(render(entries)).seen).split())
    for entry in entries:
        assert entry.run.id in text
        for one in entry.run.evaluations:
            assert one.candidate.plan.edit in text
            assert getattr(one.verdict, "reason", "right (") in text
    assert "handoff, lines" in text
    assert "whole engine 1.071× (1.062–1.080) the tokens per second of sglang 0.5.17 at 3 points" in text
    assert "$0.62, 50,500 tokens" in text
    assert "7.5 min on the device, unknown in all" in text
    assert "No candidate was worth the gate." in text


def test_an_unknown_price_is_no_number(entries: list[Entry]) -> None:
    unknown = replace(entries[0], spent=replace(ASKED, usage=replace(ASKED.usage, cost_usd=None)))
    (line,) = rows(render([unknown]))
    assert line.endswith("unknown")


def test_the_nine_that_an_h200_measured() -> None:
    """By the records that are kept of them: the mean is of the six wins, and three have none."""
    files = [json.loads(file.read_text()) for file in sorted(MEASURED.glob("*.json"))]
    kept = [(wire.load(Run, data["run"]), wire.load(Harness, data["harness"])) for data in files]
    page = render([Entry(run=run, harness=harness, spent=Spent(), page="") for run, harness in kept])
    assert [line.split()[0] for line in rows(page)[:3]] == [
        "_per_token_group_quant_8bit",
        "merge_state_kernel",
        "merge_attn_states_kernel",
    ]
    text = " ".join(" ".join(read(page).seen).split())
    assert "9 kernels 6 with a win 1.657× geometric mean of the wins" in text
    assert rows(page)[-1].startswith("kernel_unified_attention vllm 0.26.0 at b1ce69132fa3 no win 24 %")


PROBE = """<script>
addEventListener("error", e => { document.title = "error " + e.message; });
addEventListener("load", () => {
  const text = document.getElementById("text"), shown = () => document.getElementById("shown").textContent;
  const press = (on, key) => on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  press(document.body, "/");
  const said = [document.activeElement === text];
  text.value = "HANDOFF"; text.dispatchEvent(new Event("input", { bubbles: true })); said.push(shown());
  text.value = "quant timed"; text.dispatchEvent(new Event("input", { bubbles: true })); said.push(shown());
  const kernel = [...document.querySelectorAll("tr.kernel")].find(tr => tr.style.display !== "none");
  press(kernel, "Enter"); said.push(kernel.nextElementSibling.hidden, kernel.getAttribute("aria-expanded"));
  said.push(document.documentElement.scrollWidth <= innerWidth);
  if (!document.title.startsWith("error")) document.title = said.join("; ");
});
</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 1400])
def test_a_browser_searches_and_opens_it_by_keyboard(entries: list[Entry], tmp_path: Path, width: int) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium: the page was not drawn")
    page = tmp_path / "campaign.html"
    page.write_text(render(entries).replace("<main>", f"{PROBE}<main>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    words = [browser, *flags, "--virtual-time-budget=500", f"--window-size={width},900"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    drawn = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    title = re.search(r"<title>(.*?)</title>", drawn)
    assert title is not None
    assert title[1] == "true; 1 of 3; 1 of 3; false; true; true"

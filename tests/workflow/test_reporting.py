from __future__ import annotations

import re
from pathlib import Path

import pytest

from kmaint import folder, wire
from kmaint.config import Config, load_config
from kmaint.errors import UsageError
from kmaint.workflow import write_campaign, write_reports
from kmaint.workflow.bench import ENGINE
from kmaint.workflow.runs import run_folder
from tests.landed import Landed
from tests.learning.conftest import measured_run
from tests.workflow.test_backing import BENCH

RUN = measured_run().id


def test_the_page_links_to_the_pages_of_its_runs(config: Config, elsewhere: Path) -> None:
    page, left_out = write_campaign(None, Path("site") / "index.html", config)
    (link,) = re.findall(r'href="([^"]+)"', page.read_text())
    assert link == f"../../measured/runs/{RUN}/report.html"
    assert "merge_state_kernel" in (page.parent / link).read_text()
    assert len(left_out) == 8
    gone = "gone/sglang-silu-and-mul-kernel: no harness.toml in it, so not a harness"
    assert f"run silu_and_mul_kernel-38f8d191: {gone}" in left_out
    first = page.read_bytes()
    write_campaign(None, page, config)
    assert page.read_bytes() == first


def test_a_page_has_the_engine_the_landing_and_the_cost(landed: Landed) -> None:
    folder.write_text(run_folder(landed.run, landed.config) / ENGINE, wire.text(BENCH))
    page, _ = write_reports(landed.run, landed.config, landed.landing)
    text = page.read_text()
    assert "sglang 0.5.17: 1.120× the base&#39;s tokens per second" in text
    assert landed.landing.commit[:12] in text
    assert "2 judged; 40 allowed" in text
    assert "The whole engine was not run" not in text
    campaign, _ = write_campaign([landed.run.id], None, landed.config)
    assert '<span class="faster">1.120×</span>' in campaign.read_text()


def test_runs_may_be_named_and_the_page_has_a_place_of_its_own(config: Config) -> None:
    page, left_out = write_campaign([RUN[:9]], None, config)
    assert (page, left_out) == (config.state / "campaign.html", [])
    assert f'href="runs/{RUN}/report.html"' in page.read_text()


def test_without_a_run_to_tell_of_there_is_no_page(config: Config, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^no run is named; name one or more, or say --all$"):
        write_campaign([], None, config)
    with pytest.raises(UsageError, match=r"no run in it; 'kmaint optimize' makes one$"):
        write_campaign(None, None, load_config(state=tmp_path / "empty"))
    with pytest.raises(UsageError, match=r"run silu_and_mul_kernel-38f8d191: gone/.*: no harness\.toml"):
        write_campaign(["silu"], None, config)

"""What a page says of a whole engine: every number with what it rests on, and a likeness that fails as such."""

from dataclasses import replace

from kmaint.records.engine import EngineBench, Other
from kmaint.records.run import Run
from kmaint.records.timing import Interval
from reports.page import Account, render
from reports.serving import served, throughput
from tests.reports.test_page import words


def test_an_engine_is_told_with_all_that_it_rests_on(account: Account, engine: EngineBench) -> None:
    text = words(render(account))
    assert "sglang 0.5.17: 1.071× the base's tokens per second" in text
    assert "The whole engine was not run" not in text
    assert "decode 1x16384 1.280× 1.270–1.290 100 → 128 tokens/s 1.004× 0.991–1.017 50.0 → 50.0 ms 1.280×" in text
    assert "prefill 4x2048 1.000× 0.990–1.010 40,960 → 40,960 tokens/s 1.004× 0.991–1.017 50.0 → 50.0 ms 1.001×" in text
    assert f"came by 4,096 times {engine.engaged[0].place}" in text
    assert "outcome does not hold: log-probabilities lie 0.31 nats apart; 20 of 21 sequences identical" in text
    assert "accuracy, base 0.912 accuracy, patched said nothing (ended with 1)" in text
    assert all(digest in text for digest in engine.digests.values())


def test_patches_of_other_runs_in_the_same_engine_are_named(account: Account, together: EngineBench) -> None:
    text = words(render(replace(account, engines=(together,))))
    assert "With the patches of quant-9a8b in it too." in text
    assert "1.190× sglang, served, with 1 more" in text


def test_engines_beside_have_a_column_and_a_mean_each(account: Account, engine: EngineBench) -> None:
    ratio, leg = Interval(ratio=1.34, low=1.33, high=1.35), "attention_backend=FLASH_ATTN"
    first, *rest = engine.points
    first = replace(first, samples={**first.samples, leg: first.samples["patched"]}, others={leg: ratio})
    found = replace(engine, points=(first, *rest), others=(Other(leg=leg, speedup=ratio),))
    text = words(render(replace(account, engines=(found,))))
    assert f"base over base {leg} visits" in text
    assert "1.001× 0.994–1.006 1.340× 1.330–1.350 128 tokens/s 4" in text
    assert f"beside, {leg} 1.340× (1.330–1.350)" in text


def test_how_long_the_device_was_busy_stands_beside_what_the_host_decided(
    account: Account, engine: EngineBench
) -> None:
    first, *rest = engine.points
    first = replace(first, busy_s={"base": 1.4e-3, "patched": 0.7e-3, "again": 1.4e-3})
    text = words(render(replace(account, engines=(replace(engine, points=(first, *rest)),))))
    assert "decode 1x16384, device busy 1.40 → 0.70 ms a token, 2.000×, whatever the host does" in text
    assert text.count("device busy") == 1


def test_a_likeness_that_fails_is_no_good_news_and_a_slower_point_is_seen(
    won: Run, engine: EngineBench, together: EngineBench
) -> None:
    broken, holds = ({fact.name: fact.good for fact in served(one, won).facts} for one in (engine, together))
    assert (broken["outcome"], broken["accuracy, patched"], holds["outcome"]) == ("slower", "slower", "faster")
    assert [line.throughput.standing for line in served(engine, won).lines] == ["faster", "slower", "same"]


def test_one_line_of_an_engine_says_how_many_points_it_is_of(engine: EngineBench) -> None:
    slower = replace(engine, points=engine.points[:1], speedup=Interval(ratio=0.9, low=0.8, high=0.95))
    assert (throughput(slower).of, throughput(slower).standing) == ("sglang 0.5.17 at 1 point", "slower")

"""The benchmark's arithmetic, by hand, and a whole run with tiny numbers."""

import cProfile
import datetime
import json
import math
import pstats
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import report, wrk
from benchmarks.contenders import KEY, gateway_config
from benchmarks.faults import Unmeasurable
from benchmarks.figures import medians, percentile, ratio
from benchmarks.framing import Answer, Body
from benchmarks.options import Options, read
from benchmarks.profiling import fitted, own_times, table
from benchmarks.report import Column, Head, Row
from benchmarks.scenarios import Whole, plan
from benchmarks.streamed import BLOCK, chunk, ending, stream_head
from benchmarks.traffic import STAMP, Target, large_chat, small_chat, whole_answer
from benchmarks.upstream import stamped
from tests.support.running import loaded

ROOT = Path(__file__).resolve().parent.parent


# Arithmetic -------------------------------------------------------------------------------------------------------


def test_a_percentile_is_a_value_of_the_sample_by_nearest_rank() -> None:
    sample = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(sample, share) for share in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert percentile([*range(1, 1001)], 99) == 990
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize("share", [0, -1, 101])
def test_no_share_of_a_hundred_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        percentile([1.0], share)


def test_the_median_of_rounds_is_taken_by_figure_and_over_the_rounds_that_tell_it() -> None:
    rounds = [{"rate": 100.0, "p50": 9.0}, {"rate": 900.0}, {"rate": 110.0, "p50": math.nan}]
    assert medians(rounds) == {"rate": 110.0, "p50": 9.0}


def test_a_ratio_to_nothing_is_unknown() -> None:
    assert ratio(6.0, 3.0) == 2.0
    assert ratio(6.0, 0.0) is None
    assert ratio(None, 3.0) is None


# The report -------------------------------------------------------------------------------------------------------


def test_a_table_has_ratios_to_the_gateway_and_the_time_added_to_the_upstreams() -> None:
    columns = (Column("rate", "requests/s", compared=True), Column("added", "added us", 1), Column("cpu", "CPU us"))
    rows = [
        Row("direct", ({"rate": 30_000.0, "p50": 100.0},)),
        Row("gateway", ({"rate": 1_000.0, "p50": 400.0, "cpu": 900.0}, {"rate": 3_000.0, "p50": 600.0, "cpu": 700.0})),
        Row("other", ({"rate": 500.0, "p50": 1_100.0},), "it has fallen over"),
        Row("absent", (), "no stream"),
    ]
    assert report.table("whole-8", "small", columns, rows).splitlines() == [
        "### whole-8: small",
        "",
        "| contender | requests/s | added us | CPU us |",
        "| --- | ---: | ---: | ---: |",
        "| direct | 30,000 (15.00x) | - | - |",
        "| gateway | 2,000 | 400.0 | 800 |",
        "| other | 500 (0.25x) | 1,000.0 | - |",
        "| absent | - | - | - |",
        "",
        "other: it has fallen over",
        "",
        "absent: no stream",
    ]


def test_the_head_says_when_and_on_what() -> None:
    head = Head("a machine", datetime.datetime(2025, 11, 24, 9, 5, tzinfo=datetime.UTC), 3, 2.5, ("a note",))
    text = report.render(head, [(Whole(8), [Row("gateway", ({"rate": 1.0},))])])
    assert text.startswith("Measured 2025-11-24 09:05 UTC on a machine.\nMedians of 3 interleaved rounds of 2.5 s;")
    assert "\n- a note\n" in text
    assert "### whole-8: small whole answers, 8 connections" in text


def test_every_kind_of_scenario_has_columns_and_a_name_of_its_own() -> None:
    for quick in (False, True):
        scenarios = plan(quick=quick, threads=64)
        assert len({each.name for each in scenarios}) == len(scenarios)
        assert {each.kind for each in scenarios} <= set(report.COLUMNS)


# wrk --------------------------------------------------------------------------------------------------------------


def test_what_wrk_prints_is_read_and_failures_are_no_requests_a_second() -> None:
    text = "Running 2s test @ http://127.0.0.1:1/\nMEASURED requests=5000 us=2000000 p50=410.5 p99=3100.0 failed=1000\n"
    assert wrk.parse(text) == {"requests": 5000, "rate": 2000.0, "p50": 410.5, "p99": 3100.0, "failed": 1000}


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:1 Connection refused"])
def test_a_run_of_wrk_that_measured_nothing_is_no_zero(text: str) -> None:
    with pytest.raises(Unmeasurable):
        wrk.parse(text)


def test_a_body_survives_lua() -> None:
    body = large_chat("m", 2_000)
    line = next(line for line in wrk.script(Target(1, "m", ()), body).splitlines() if line.startswith("wrk.body"))
    quoted = line.removeprefix('wrk.body = "').removesuffix('"')
    parts = quoted.split("\\")
    read_back = parts[0] + "".join(chr(int(part[:3])) + part[3:] for part in parts[1:])
    assert read_back.encode("latin-1") == body


# Traffic ----------------------------------------------------------------------------------------------------------


def test_the_traffic_has_the_sizes_and_the_headers_of_real_ones() -> None:
    head, _, body = whole_answer().partition(b"\r\n\r\n")
    assert 500 <= len(body) <= 700
    assert 16 <= head.count(b"\r\n") <= 20
    request = Target(1, "m", (("Authorization", "Bearer k"),)).post(small_chat("m"))
    assert 16 <= request.partition(b"\r\n\r\n")[0].count(b"\r\n") <= 18
    assert 115_000 <= len(large_chat("m")) <= 125_000
    json.loads(large_chat("m"))


def test_the_gateway_is_measured_with_a_key_a_limit_two_targets_and_json_logs() -> None:
    config = loaded(gateway_config(1, 64)).config
    assert [key.reveal() for key in config.gateway.api_keys] == [KEY]
    assert [len(alias.providers) for alias in config.model_aliases] == [2]
    assert [limit.provider for limit in config.rate_limits] == ["first"]
    assert config.logging.format == "json"


def streamed() -> bytes:
    return stream_head() + stamped(chunk()) + stamped(chunk() * BLOCK) + ending(usage=True)


def test_each_chunk_of_a_stream_tells_when_it_was_sent() -> None:
    answer = Answer()
    content = answer.feed(streamed())
    assert answer.complete
    stamps = [int(stamp) for stamp in STAMP.findall(content)]
    assert len(stamps) == BLOCK + 1
    assert 0 < stamps[0] <= stamps[-1]
    events = content.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    for event in events[:-2]:
        json.loads(event.removeprefix("data: "))


@given(st.lists(st.integers(1, 5_000), max_size=30))
def test_an_answer_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    whole = streamed()
    expected = Answer().feed(whole)
    answer, found, at = Answer(), b"", 0
    for cut in (*cuts, len(whole)):
        found += answer.feed(whole[at : at + cut])
        at += cut
    assert answer.complete
    assert found == expected


def test_an_answer_with_a_length_is_complete_with_its_last_byte() -> None:
    answer = Answer()
    for byte in whole_answer()[:-1]:
        answer.feed(bytes((byte,)))
    assert not answer.complete
    answer.feed(whole_answer()[-1:])
    assert answer.complete
    assert answer.status == 200


@pytest.mark.parametrize("junk", [b"zz\r\n", b"-5\r\n", b"x" * 100])
def test_framing_that_is_none_is_not_guessed_at(junk: bytes) -> None:
    with pytest.raises(Unmeasurable):
        Body(chunked=True).feed(junk)


# The profile ------------------------------------------------------------------------------------------------------


def test_what_a_profiler_takes_is_taken_off_so_that_the_profile_adds_up() -> None:
    time = iter(range(10_000))
    profile = cProfile.Profile(lambda: float(next(time)))
    profile.runcall(lambda: [len("") for _ in range(100)])
    profile.create_stats()
    functions = table(pstats.Stats(profile))
    raw = sum(own_times(functions, 0.0).values())
    assert raw > 200
    toll = fitted({key: (a, b, own * 1e-6, c, d) for key, (a, b, own, c, d) in functions.items()}, raw * 0.5e-6)
    assert sum(own_times(functions, toll * 1e6).values()) == pytest.approx(raw * 0.5, rel=0.01)


# The command ------------------------------------------------------------------------------------------------------


def test_the_options_have_defaults_that_quick_makes_small() -> None:
    assert read([]) == Options("run")
    quick = read(["--quick", "--only", "gateway, nginx"])
    assert (quick.rounds, quick.seconds, quick.only) == (1, 0.5, ("gateway", "nginx"))
    assert read(["--list"]).verb == "list"


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--seconds", "1e9"], ["--seconds", "nan"], ["--threads", "3"]])
def test_numbers_without_bounds_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        read(wrong)


@pytest.mark.slow
def test_a_quick_run_measures_the_gateway_in_every_scenario(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--seconds", "0.3", "--only", "direct,gateway"]
    command += ["--json", str(out)]
    run = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    told = json.loads(out.read_text())["scenarios"]
    assert set(told) == {each.name for each in plan(quick=True, threads=64)}
    for name, rows in told.items():
        assert rows["gateway"]["fault"] is None
        assert rows["gateway"]["median"], name
    assert told["streams-10x50"]["gateway"]["median"]["lost"] == 0
    assert told["whole-4"]["gateway"]["median"]["failed"] == 0
    assert "| gateway |" in run.stdout

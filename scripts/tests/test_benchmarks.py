"""The documentation's page of benchmarks says what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benches import harness
from scripts import benchmarks

RESULT: dict[str, Any] = {
    "name": "cold_start",
    "about": "What `load({})` costs, < 1 s.",
    "machine": "Linux, 2 cores",
    "measured_at": "2026-01-02",
    "measured_on": "Prefect 3.",
    "table": ["| what | variant | CPU s |", "| --- | --- | --- |", "| all | published | 8 |", "| all | ours | 1 |"],
    "samples": [
        {"what": "all", "variant": "published", "runs": [{"values": {"load_cpu_s": 8.0}, "failure": None}]},
        {
            "what": "all",
            "variant": "ours",
            "runs": [
                {"values": {"load_cpu_s": 1.0}, "failure": None},
                {"values": {"load_cpu_s": 3.0}, "failure": None},
                {"values": {}, "failure": "over 300 s"},
            ],
        },
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    results.mkdir()
    for name in ("zebra", "cold_start"):
        results.joinpath(f"{name}.json").write_text(json.dumps({**RESULT, "name": name}))
    return results


def test_the_page_is_what_the_results_give():
    assert benchmarks.stale(benchmarks.generated()) == []


def test_the_page_has_table_picture_and_machine(folder: Path):
    page = benchmarks.generated(folder)[benchmarks.PAGE]
    assert "\n| all | ours | 1 |\n" in page
    assert "](/images/benchmarks/cold_start-load_cpu_s.svg)" in page
    assert "Measured on Linux, 2 cores, 2026-01-02. Prefect 3." in page
    assert page.index("## `cold_start`") < page.index("## `zebra`"), "what nobody has ordered comes last"


def test_text_is_no_jsx_but_in_code(folder: Path):
    page = benchmarks.generated(folder)[benchmarks.PAGE]
    assert "What `load({})` costs, &lt; 1 s." in page


def test_failed_runs_do_not_count():
    assert benchmarks.medians(RESULT, "load_cpu_s") == {"all": {"published": 8.0, "ours": 2.0}}


def test_a_picture_is_the_same_each_time_and_says_its_figures(folder: Path):
    first, second = benchmarks.generated(folder), benchmarks.generated(folder)
    assert first == second
    drawn = next(text for path, text in first.items() if path.suffix == ".svg")
    assert "published 8.00" in drawn
    assert "ours 2.00" in drawn


def test_check_finds_what_is_stale_and_writing_mends_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    docs = tmp_path / "docs"
    left = docs / benchmarks.PICTURES / "gone.svg"
    left.parent.mkdir(parents=True)
    left.write_text("<svg/>")
    assert benchmarks.main(["--check"], folder, docs) == 1
    assert "docs/contribute/benchmarks.mdx is stale; run `just benchmarks`" in capsys.readouterr().err
    assert left.exists()
    assert benchmarks.main([], folder, docs) == 0
    assert not left.exists()
    assert benchmarks.main(["--check"], folder, docs) == 0


def test_some_cases_of_a_long_bench_replace_their_own_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    monkeypatch.setattr(harness, "FOLDER", tmp_path)
    metrics = (harness.Metric("wall_s", "seconds", 1),)

    def save(seconds: dict[str, float], *, among: bool) -> list[tuple[str, float]]:
        samples = {
            harness.Case(what, "ours", "ours", ()): [harness.Sample({"wall_s": value})]
            for what, value in seconds.items()
        }
        harness.save("long", "Long.", samples, metrics, among=among, measured_on="Here")
        saved = json.loads((tmp_path / "long.json").read_text())
        assert all(f"| {value:.1f}" in "\n".join(saved["table"]) for value in seconds.values())
        return [(each["what"], each["runs"][0]["values"]["wall_s"]) for each in saved["samples"]]

    assert save({"a": 1.0, "b": 2.0}, among=False) == [("a", 1.0), ("b", 2.0)]
    assert save({"c": 4.0, "b": 3.0}, among=True) == [("a", 1.0), ("b", 3.0), ("c", 4.0)]
    assert save({"b": 5.0}, among=False) == [("b", 5.0)]

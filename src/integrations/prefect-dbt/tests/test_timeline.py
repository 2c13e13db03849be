"""The picture of a run: whole, safe, bounded, and stored where the UI shows it."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from prefect_dbt.core._timeline import (
    MAX_BARS,
    NodeSpan,
    create_timeline_artifact,
    span_of,
    timeline_data_url,
    timeline_markdown,
    timeline_svg,
)

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
GREEN, ORANGE, RED, GREY = "#2ac769", "#f5a623", "#e0352b", "#9aa3b2"


def span(name: str, start: float, end: float, status: str = "success", thread: str = "Thread-1 (worker)") -> NodeSpan:
    return NodeSpan(name, status, BEGIN + timedelta(seconds=start), BEGIN + timedelta(seconds=end), thread)


def bars(svg: str) -> dict[str, ET.Element]:
    """The bars by the name of their node; whoever parses XML here also proves that it is well formed."""
    found: dict[str, ET.Element] = {}
    for rect in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):
        title = rect.find("{http://www.w3.org/2000/svg}title")
        if title is not None and title.text:
            found[title.text.partition(":")[0]] = rect
    return found


def test_a_bar_is_as_long_as_its_node_ran_and_begins_when_it_began() -> None:
    drawn = bars(timeline_svg([span("a", 0, 2), span("b", 2, 3), span("c", 3, 4)]))
    a, b, c = (drawn[name] for name in "abc")
    assert float(a.attrib["width"]) == pytest.approx(2 * float(b.attrib["width"]), abs=0.2)
    assert float(b.attrib["x"]) == pytest.approx(float(a.attrib["x"]) + float(a.attrib["width"]), abs=0.2)
    assert a.attrib["y"] == b.attrib["y"] == c.attrib["y"]


def test_threads_have_rows_in_their_order() -> None:
    drawn = bars(timeline_svg([span(f"n{n}", 0, 1, thread=f"Thread-{n} (worker)") for n in (10, 2, 1)]))
    assert float(drawn["n1"].attrib["y"]) < float(drawn["n2"].attrib["y"]) < float(drawn["n10"].attrib["y"])


def test_nodes_of_one_thread_that_overlap_do_not_hide_each_other() -> None:
    drawn = bars(timeline_svg([span("a", 0, 2), span("b", 1, 3)]))
    assert drawn["a"].attrib["y"] != drawn["b"].attrib["y"]


@pytest.mark.parametrize(
    ("status", "colour"),
    [("success", GREEN), ("pass", GREEN), ("warn", ORANGE), ("error", RED), ("fail", RED), ("runtime error", RED)],
)
def test_colours_say_how_a_node_ended(status: str, colour: str) -> None:
    assert bars(timeline_svg([span("a", 0, 1, status)]))["a"].attrib["fill"] == colour


def test_what_never_ran_is_counted_and_not_drawn() -> None:
    svg = timeline_svg([span("a", 0, 1), NodeSpan("b", "skipped", None, None)])
    assert set(bars(svg)) == {"a"}
    assert "1 skipped" in svg
    assert "2 nodes" in svg


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a & b", "\x00\x0b\ud800", "ü" * 500, "]]>", ""], ids=ascii
)
def test_any_name_gives_a_picture(name: str) -> None:
    svg = timeline_svg([span(name, 0, 1)], title=name)
    assert "<script" not in svg
    ET.fromstring(svg)
    timeline_markdown([span(name, 0, 1)], title=name).encode()


@pytest.mark.parametrize("seconds", [0, 0.0001, 1, 59, 3600, 1_000_000])
def test_any_duration_gives_few_lines_on_the_axis(seconds: float) -> None:
    assert timeline_svg([span("a", 0, seconds)]).count("<path") <= 12


def test_of_many_nodes_the_failed_and_the_longest_are_drawn() -> None:
    spans = [span(f"n{n}", n, n + 0.1 + n / 10_000) for n in range(5_000)]
    spans[0] = span("n0", 0, 0.01, "error")
    svg = timeline_svg(spans)
    drawn = bars(svg)
    assert len(drawn) == MAX_BARS
    assert {"n0", "n4999"} <= set(drawn)
    assert "4000 shorter nodes are not drawn" in svg
    assert len(svg) < 500_000


def test_no_nodes_still_give_a_picture() -> None:
    assert "0 nodes" in timeline_svg([])


def test_results_of_both_kinds_have_spans() -> None:
    stamps = ("2026-01-01T00:00:01", "2026-01-01T00:00:02.5"), ("2026-01-01T00:00:02.500000", "2026-01-01T00:00:04")
    ours = SimpleNamespace(
        name="a.v1", status="success", thread="Thread-1", timing=[("compile", *stamps[0]), ("execute", *stamps[1])]
    )
    entry = {
        "unique_id": "model.shop.a.v1",
        "status": "success",
        "thread_id": "Thread-1",
        "timing": [
            {"name": "compile", "started_at": "2026-01-01T00:00:01Z", "completed_at": None},
            {"name": "execute", "started_at": "2026-01-01T00:00:03Z", "completed_at": "2026-01-01T00:00:04Z"},
        ],
    }
    expected = NodeSpan("a.v1", "success", BEGIN + timedelta(seconds=1), BEGIN + timedelta(seconds=4), "Thread-1")
    assert span_of(ours) == span_of(entry) == expected
    assert span_of({"timing": None}) == NodeSpan("", "", None, None, "")


def test_the_address_holds_the_picture_itself() -> None:
    kind, _, content = timeline_data_url([span("a", 0, 1)]).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).startswith(b"<svg")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_artifact_belongs_to_the_run_and_holds_the_picture(is_async: bool, prefect_harness: None) -> None:
    import asyncio

    key = f"timeline-{uuid4().hex}"
    spans = [span("slow_model", 0, 5), span("quick_model", 0, 1, thread="Thread-2 (worker)")]

    @flow(name="timeline-sync")
    def draw() -> None:
        assert create_timeline_artifact(spans, key=key, title="dbt build") is not None

    @flow(name="timeline-async")
    async def adraw() -> None:
        assert create_timeline_artifact(spans, key=key, title="dbt build") is not None

    asyncio.run(adraw()) if is_async else draw()
    with get_client(sync_client=True) as client:
        (artifact,) = [found for found in client.read_artifacts(limit=200) if found.key == key]
    assert artifact.flow_run_id is not None
    assert artifact.type == "markdown"
    assert isinstance(artifact.data, str)
    assert "(data:image/svg+xml;base64," in artifact.data
    assert artifact.data.index("`slow_model`") < artifact.data.index("`quick_model`")


def test_nothing_is_stored_of_a_run_without_nodes() -> None:
    assert create_timeline_artifact([NodeSpan("a", "skipped", None, None)]) is None

"""A picture of a dbt run: when each node ran, on which thread, and how it ended."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol, cast
from xml.sax.saxutils import escape

from ._artifacts import markdown_code

if TYPE_CHECKING:
    from uuid import UUID

MAX_BARS = 1_000
"""Most nodes that are drawn; of more, the longest and those that failed."""

_SLOWEST = 10

_COLOURS = {
    "success": "#2ac769",
    "pass": "#2ac769",
    "warn": "#f5a623",
    "error": "#e0352b",
    "fail": "#e0352b",
    "runtime error": "#e0352b",
    "partial success": "#e0352b",
    "skipped": "#9aa3b2",
}
_OTHER_COLOUR = "#7b8ab8"
_LEGEND = (("success", "succeeded"), ("warn", "warned"), ("error", "failed"), ("skipped", "skipped"))
_BAD = frozenset(status for status, colour in _COLOURS.items() if colour == _COLOURS["error"])

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 1200, 110, 30, 62, 28, 20
_CHARACTER = 6.2  # width of a letter of the labels
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)


@dataclass(frozen=True)
class NodeSpan:
    """When a node ran.

    Attributes:
        name: Its name.
        status: dbt's word for how it ended.
        started_at: Begin; `None` if it never ran.
        finished_at: End.
        thread: The thread that ran it.
    """

    name: str
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    thread: str = ""


class _Timed(Protocol):
    """What is read of a node's result; `_dbt.events.NodeResult` has it."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def timing(self) -> Sequence[tuple[str, str, str]]: ...


def span_of(result: _Timed | Mapping[str, Any]) -> NodeSpan:
    """Take the span of a node from its result.

    Args:
        result: A result of this package, or an entry of `run_results.json`.
    """
    if isinstance(result, Mapping):
        entry = result
        steps = [cast("Mapping[str, Any]", step) for step in entry.get("timing") or () if isinstance(step, Mapping)]
        times = [(step.get("started_at"), step.get("completed_at")) for step in steps]
        name = str(entry.get("unique_id") or "").split(".", 2)[-1]
        status, thread = str(entry.get("status") or ""), str(entry.get("thread_id") or "")
    else:
        times = [(start, end) for _, start, end in result.timing]
        name, status, thread = result.name, result.status, result.thread
    starts = [time for start, _ in times if (time := _time(start))]
    ends = [time for _, end in times if (time := _time(end))]
    return NodeSpan(name, status.lower(), min(starts, default=None), max(ends, default=None), thread)


def timeline_svg(spans: Iterable[NodeSpan], title: str = "dbt") -> str:
    """Draw a run: a row for each thread, a bar for each node, in the colour of how it ended.

    Args:
        spans: The nodes. Those that never ran are counted, and not drawn.
        title: The command, for the heading.

    Returns:
        An SVG document that needs no scripts, fonts or other files.
    """
    spans = list(spans)
    ran = [bar for span in spans if (bar := _Bar.of(span))]
    begin = min((bar.start for bar in ran), default=0.0)
    seconds = max(max((bar.end for bar in ran), default=0.0) - begin, 0.001)
    drawn = sorted(ran, key=lambda bar: (bar.status not in _BAD, bar.start - bar.end))[:MAX_BARS]
    rows = _rows(drawn)
    scale = (_WIDTH - _LEFT - _RIGHT) / seconds
    height = _TOP + _ROW * max(len(rows), 1) + 34
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    font = 'font-family="Inter, Helvetica, Arial, sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="600" fill="#1d2433">{_xml(title, 120)}</text>',
        *_legend(spans, seconds),
        *_axis(seconds, scale, height),
    ]
    for index, (label, bars) in enumerate(rows):
        y = _TOP + _ROW * index
        parts.append(f'<text x="12" y="{y + 14}" fill="#5c667a">{_xml(label, 16)}</text>')
        parts += [_bar(bar, _LEFT + (bar.start - begin) * scale, y, (bar.end - bar.start) * scale) for bar in bars]
    if len(drawn) < len(ran):
        left_out = f"{len(ran) - len(drawn)} shorter nodes are not drawn"
        parts.append(f'<text x="{_WIDTH - _RIGHT}" y="44" text-anchor="end" fill="#5c667a">{left_out}</text>')
    return "\n".join([*parts, "</svg>"])


def timeline_data_url(spans: Iterable[NodeSpan], title: str = "dbt") -> str:
    """Draw a run as the address of a picture that holds the picture itself; see `timeline_svg`."""
    return "data:image/svg+xml;base64," + base64.b64encode(timeline_svg(spans, title).encode()).decode()


def timeline_markdown(spans: Iterable[NodeSpan], title: str = "dbt") -> str:
    """Draw a run as Markdown that holds the picture, and name the nodes that took longest.

    Prefect's UI shows pictures within Markdown whose address begins with `data:image/`. An image artifact would print
    that address, all of it, below the picture.
    """
    spans = list(spans)
    bars = sorted((bar for span in spans if (bar := _Bar.of(span))), key=lambda bar: bar.start - bar.end)
    slowest = [f"* {_duration(bar.end - bar.start)} {markdown_code(bar.name)}" for bar in bars[:_SLOWEST]]
    picture = f"![Timeline of the run]({timeline_data_url(spans, title)})"
    return "\n".join([picture, "", "### Slowest nodes", "", *slowest, ""])


def create_timeline_artifact(
    spans: Iterable[NodeSpan], *, key: str = "dbt-timeline", title: str = "dbt", description: str | None = None
) -> UUID | None:
    """Store the picture of a run as an artifact of the current flow run or task run.

    Args:
        spans: The nodes.
        key: Key of the artifact: lowercase letters, numbers and dashes.
        title: The command, for the heading.
        description: Text that the UI shows with the picture.

    Returns:
        The id of the artifact; `None` if no node ran, since there is nothing to draw.
    """
    from prefect.artifacts import MarkdownArtifact

    from prefect_integration_kit.dispatch import run_coro_as_sync

    spans = list(spans)
    if not any(_Bar.of(span) for span in spans):
        return None
    artifact = MarkdownArtifact(key=key, description=description, markdown=timeline_markdown(spans, title))
    return run_coro_as_sync(artifact.acreate()).id


@dataclass(frozen=True)
class _Bar:
    name: str
    status: str
    thread: str
    start: float
    end: float

    @classmethod
    def of(cls, span: NodeSpan) -> _Bar | None:
        """Make a bar; `None` for a node that never ran."""
        if span.started_at is None or span.finished_at is None:
            return None
        start = span.started_at.timestamp()
        return cls(span.name, span.status, span.thread, start, max(span.finished_at.timestamp(), start))


def _rows(bars: Sequence[_Bar]) -> list[tuple[str, list[_Bar]]]:
    """Sort bars into rows by thread; where bars of one thread overlap, it gets more rows."""
    by_thread: dict[str, list[list[_Bar]]] = {}
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.end)):
        rows = by_thread.setdefault(bar.thread, [])
        # dbt's times have gaps, so bars of one thread that follow each other never overlap by more than rounding.
        free = next((row for row in rows if row[-1].end <= bar.start + 0.0005), None)
        if free is None:
            rows.append([bar])
        else:
            free.append(bar)
    threads = sorted(
        by_thread, key=lambda thread: [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", thread)]
    )
    return [
        (_label(thread) if index == 0 else "", row) for thread in threads for index, row in enumerate(by_thread[thread])
    ]


def _label(thread: str) -> str:
    found = re.match(r"Thread-(\d+)", thread)
    return f"Thread {found[1]}" if found else thread or "Nodes"


def _legend(spans: Sequence[NodeSpan], seconds: float) -> list[str]:
    counts = Counter(_COLOURS.get(span.status, _OTHER_COLOUR) for span in spans)
    parts = [f'<text x="12" y="44" fill="#5c667a">{len(spans)} nodes in {_duration(seconds)}</text>']
    x = 190
    for status, word in _LEGEND:
        colour = _COLOURS[status]
        if counts[colour]:
            text = f"{counts[colour]} {word}"
            parts.append(f'<rect x="{x}" y="35" width="10" height="10" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{x + 15}" y="44" fill="#1d2433">{text}</text>')
            x += 35 + int(len(text) * _CHARACTER)
    return parts


def _axis(seconds: float, scale: float, height: int) -> list[str]:
    step = next((tick for tick in _TICKS if seconds / tick <= 10), seconds / 8)
    parts: list[str] = []
    for index in range(int(seconds / step) + 1):
        x = _LEFT + index * step * scale
        parts.append(f'<path d="M{x:.1f} {_TOP - 6}V{height - 26}" stroke="#e4e8ee"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle" fill="#5c667a">{_duration(index * step)}</text>'
        )
    return parts


def _bar(bar: _Bar, x: float, y: int, width: float) -> str:
    width = max(width, 1.0)
    colour = _COLOURS.get(bar.status, _OTHER_COLOUR)
    tip = _xml(f"{bar.name}: {bar.status}, {_duration(bar.end - bar.start)}", 300)
    place = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}"'
    shape = f'<rect {place} rx="2" fill="{colour}"><title>{tip}</title></rect>'
    letters = int((width - 8) / _CHARACTER)
    if letters < 3:
        return shape
    return f'{shape}<text x="{x + 4:.1f}" y="{y + 14}" fill="#ffffff">{_xml(bar.name, letters)}</text>'


def _duration(seconds: float) -> str:
    if seconds >= 3600:
        return f"{int(seconds // 3600)}h {int(seconds % 3600 // 60)}m"
    if seconds >= 60:
        return f"{int(seconds // 60)}m {int(seconds % 60)}s"
    return f"{seconds:.2f}".rstrip("0").rstrip(".") + "s"


def _xml(text: str, length: int) -> str:
    """Make text fit, and safe within XML, which has no way to say most control characters."""
    text = "".join(character for character in text if character.isprintable())
    return escape(text if len(text) <= length else text[: length - 1] + "…")


def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)

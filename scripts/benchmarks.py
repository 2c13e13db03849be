"""Write the documentation's page of benchmarks, and its pictures, from what `just bench` has saved.

python -m scripts.benchmarks            write them
python -m scripts.benchmarks --check    exit 1 when something is stale
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts import workspace

RESULTS = workspace.ROOT / "benches" / "results"
DOCS = workspace.ROOT / "docs"
PAGE = Path("contribute/benchmarks.mdx")
PICTURES = Path("images/benchmarks")
BASELINE = "published"

_ORDER = (
    *("cold_start", "import_cost", "worker_start", "block_register", "worker_runs", "soak"),
    *("ecs_submissions", "docker_runs", "kube_observer", "cloud_run_calls", "aci_calls"),
    *("s3_folder", "gcs_folder", "azure_folder", "git_clone", "shell_output"),
    *("sql_fetch", "bigquery_fetch", "redis_messages", "dbt_build", "dask_map", "ray_map", "task_engines"),
    "docs_reference",
)
"""What concerns everybody comes first."""

_HEAD = """\
---
title: Benchmarks
description: How fast and how light these packages are, beside the published ones, and how that was measured.
---

{{/* `just benchmarks` writes this page from benches/results. */}}

Every claim about speed or weight is measured beside the published packages: two environments with the same versions of
everything else, the same probe in both, by turns, several times. Each cell is the median of the rounds
(lowest-highest) and, after the dot, how many times less than the published package of the same round; above 1 is
better. Where seconds of the clock are well above CPU seconds, or the spread is wide, the machine had other work
beside: look at CPU, memory and calls then.

The figures say how the two compare, not what you will see on another machine. Where the published package is better,
the table says so, too. Measure yourself:

```bash
just bench
just bench cold_start
```

[The folder `benches`](https://github.com/PrefectHQ/prefect/tree/main/benches) has the probes, and
every single run that was measured.
"""


@dataclass(frozen=True)
class Picture:
    """A chart of one value of a bench.

    Attributes:
        bench: Name of the bench.
        key: The value.
        title: What the bars show, with the unit.
        alt: What to say to who does not see it; the figures follow.
    """

    bench: str
    key: str
    title: str
    alt: str

    @property
    def path(self) -> Path:
        """Where it lies, in the documentation."""
        return PICTURES / f"{self.bench}-{self.key}.svg"


_PICTURES = (
    Picture("cold_start", "load_cpu_s", "Loading all packages: CPU seconds", "CPU seconds to load all packages"),
    Picture("cold_start", "rss_mib", "Loading all packages: MiB", "Memory in MiB after loading all packages"),
    Picture("worker_start", "cpu_s", "Start of a worker: CPU seconds", "CPU seconds from start to first poll"),
    Picture("worker_runs", "cloud_calls", "Calls to the cloud, by flow run", "Calls to the cloud, by flow run"),
)


def results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Read what was saved, by the name of the bench and in the order of the page."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    known = [name for name in _ORDER if name in found]
    return {name: found[name] for name in (*known, *(name for name in found if name not in _ORDER))}


def medians(result: Mapping[str, Any], key: str) -> dict[str, dict[str, float]]:
    """Give the median of a value, by case and variant; runs that failed do not count."""
    given: dict[str, dict[str, float]] = {}
    for sample in result["samples"]:
        values = [run["values"][key] for run in sample["runs"] if run["failure"] is None and key in run["values"]]
        if values:
            given.setdefault(sample["what"], {})[sample["variant"]] = statistics.median(values)
    return given


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the page."""
    parts = [_HEAD.format()]
    for name, result in found.items():
        parts.append(f"## `{name}`\n\n{_safe(result['about'])}\n")
        shown = [picture for picture in _PICTURES if picture.bench == name and medians(result, picture.key)]
        parts += [f"![{_described(picture, result)}](/{picture.path.as_posix()})\n" for picture in shown]
        parts.append(_safe("\n".join(result["table"])) + "\n")
        machine = ", ".join(part for part in (result["machine"], result.get("measured_at")) if part)
        parts.append(f"Measured on {machine}. {_safe(result['measured_on'])}\n")
    return "\n".join(parts)


def _described(picture: Picture, result: Mapping[str, Any]) -> str:
    said = [
        f"{what.replace('`', '')}: " + ", ".join(f"{variant} {value:.3g}" for variant, value in variants.items())
        for what, variants in medians(result, picture.key).items()
    ]
    return f"{picture.alt}. {'; '.join(said)}"


def _safe(text: str) -> str:
    """Keep braces and angle brackets outside of code from being taken for JSX."""
    parts = text.split("`")
    parts[::2] = [part.replace("{", "&#123;").replace("}", "&#125;").replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


# --- pictures --------------------------------------------------------------------------------------------------------

# Readable on white and on black.
_INK, _COLOURS = "#7a828c", {BASELINE: "#9aa2ad", "ours": "#2d6df6"}


def draw(picture: Picture, result: Mapping[str, Any]) -> str:
    """Draw a chart as SVG, the same for the same figures."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib.figure import Figure

    groups = {
        what.replace("`", ""): [(v, variants[v]) for v in (BASELINE, "ours") if v in variants]
        for what, variants in medians(result, picture.key).items()
    }
    rows: list[tuple[str, str, float]] = [
        (what, variant, value) for what, variants in groups.items() for variant, value in variants
    ]
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": picture.path.name,
        "font.family": "sans-serif",
        "font.size": 10,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.2, 0.7 + 0.26 * len(rows) + 0.12 * len(groups)))
        axes = figure.subplots()
        places = _places(list(groups.values()))
        for place, (_what, variant, value) in zip(places, rows, strict=True):
            axes.barh(place, value, height=0.85, color=_COLOURS[variant], linewidth=0)
            axes.annotate(
                f"{variant} {_short(value)}", (value, place), xytext=(4, 0), textcoords="offset points", va="center"
            )
        axes.set_yticks(_middles(places, list(groups.values())), list(groups))
        axes.invert_yaxis()
        axes.margins(x=0.2)
        axes.set_title(picture.title, loc="left", fontsize=11)
        axes.tick_params(length=0)
        axes.xaxis.set_visible(False)
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
        figure.tight_layout()
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _places(groups: Sequence[Sequence[object]]) -> list[float]:
    places: list[float] = []
    at = 0.0
    for group in groups:
        places += [at + number for number in range(len(group))]
        at += len(group) + 0.5
    return places


def _middles(places: Sequence[float], groups: Sequence[Sequence[object]]) -> list[float]:
    middles: list[float] = []
    at = 0
    for group in groups:
        middles.append(statistics.mean(places[at : at + len(group)]))
        at += len(group)
    return middles


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# --- files -----------------------------------------------------------------------------------------------------------


def generated(folder: Path = RESULTS) -> dict[Path, str]:
    """Give everything that is generated, by its path in the documentation."""
    found = results(folder)
    files = {PAGE: page(found)}
    for picture in _PICTURES:
        if picture.bench in found and medians(found[picture.bench], picture.key):
            files[picture.path] = draw(picture, found[picture.bench])
    return files


def stale(files: Mapping[Path, str], docs: Path = DOCS) -> list[Path]:
    """Find what is not as it should be: files that differ, and pictures that nobody draws any more."""
    differ = [path for path, text in files.items() if not _is(docs / path, text)]
    left = [path.relative_to(docs) for path in sorted((docs / PICTURES).glob("*.svg"))]
    return [*differ, *(path for path in left if path not in files)]


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str] | None = None, folder: Path = RESULTS, docs: Path = DOCS) -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description="Write the documentation's page of benchmarks.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is stale")
    options = parser.parse_args(arguments)
    files = generated(folder)
    wrong = stale(files, docs)
    if options.check:
        for path in wrong:
            print(f"error: docs/{path.as_posix()} is stale; run `just benchmarks`", file=sys.stderr)
        return 1 if wrong else 0
    for path in wrong:
        if path not in files:
            (docs / path).unlink()
            continue
        (docs / path).parent.mkdir(parents=True, exist_ok=True)
        (docs / path).write_text(files[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

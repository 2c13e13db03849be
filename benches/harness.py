"""Build two environments, run the same probe in both by turns, and say what came out.

A probe is a program of its own, in `probes/`. It needs nothing but the packages under test, does its work, and prints
one JSON object of numbers as its last line. The harness adds peak memory, and CPU seconds where the probe has none.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from benches.memory import TreeWatch
from scripts import workspace

FOLDER = Path(__file__).resolve().parent
CACHE = workspace.ROOT / ".benches"
RESULTS = FOLDER / "results"
PACKAGES = (
    *("prefect-aws", "prefect-azure", "prefect-bitbucket", "prefect-dask", "prefect-databricks", "prefect-dbt"),
    *("prefect-docker", "prefect-email", "prefect-gcp", "prefect-github", "prefect-gitlab", "prefect-kubernetes"),
    *("prefect-ray", "prefect-redis", "prefect-shell", "prefect-slack", "prefect-snowflake", "prefect-sqlalchemy"),
)
# The releases that ours replace. Without a bound the resolver may fall back to an older one in silence.
PUBLISHED = (
    *("prefect-aws>=0.7.12", "prefect-azure>=0.4.13", "prefect-bitbucket>=0.3.7", "prefect-dask>=0.3.7"),
    *("prefect-databricks>=0.4.2", "prefect-dbt>=0.7.25", "prefect-docker>=0.7.4", "prefect-email>=0.4.3"),
    *("prefect-gcp>=0.6.22", "prefect-github>=0.4.4", "prefect-gitlab>=0.3.5", "prefect-kubernetes>=0.8"),
    *("prefect-ray>=0.6.0", "prefect-redis>=0.3.0", "prefect-shell>=0.3.7", "prefect-slack>=0.4.0"),
    *("prefect-snowflake>=0.28.9", "prefect-sqlalchemy>=0.6.1"),
)
_WITH_EXTRAS = ("prefect-azure", "prefect-dbt", "prefect-gcp")
_FAST = ("prefect-aws", "prefect-azure", "prefect-gcp")
BASELINE = "published"

_UV = os.environ.get("UV", "uv")
_LAUNCH = FOLDER / "probes" / "_launch.py"
_SHOW_VARIABLE = "BENCH_SHOW_ERRORS"
_SDK = ("boto3", "botocore", "s3transfer")
_FOREIGN = ("PREFECT_", "AWS_", "DBT_", "UV_", "VIRTUAL_ENV", "PYTHON")


class BenchError(Exception):
    """An environment could not be built, or a probe failed for a reason that is no result."""


# --- environments ----------------------------------------------------------------------------------------------------


def _uv(*arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}}
    answer = subprocess.run(
        [_UV, *arguments], cwd=workspace.ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise BenchError(f"uv {' '.join(arguments)} failed:\n{answer.stderr.strip()}")
    return answer.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment to measure in."""

    name: str
    python: Path

    def versions(self) -> dict[str, str]:
        """Say which version of everything is installed."""
        listed = json.loads(_uv("pip", "list", "--format", "json", "--python", str(self.python)))
        return {item["name"]: item["version"] for item in listed}


def install(name: str, constraints: Sequence[str], *requirements: str) -> Environment:
    """Build an environment in `.benches/`, or bring it up to date.

    Args:
        name: Its name.
        constraints: Versions that are not to be left.
        requirements: What to install, and options of `uv pip install`.

    Raises:
        BenchError: If uv cannot build it.
    """
    CACHE.mkdir(exist_ok=True)
    folder = CACHE / name
    environment = Environment(name, folder / "bin" / "python")
    if not environment.python.exists():
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    file = CACHE / f"{name}.constraints.txt"
    file.write_text("\n".join(constraints) + "\n", encoding="utf-8")
    _uv(
        *("pip", "install", "--quiet", "--compile-bytecode", "--python", str(environment.python)),
        *("--constraint", str(file), *requirements),
    )
    return environment


def workspace_resolution() -> list[str]:
    """List the versions of everything that the workspace's resolution holds, as requirements."""
    exported = _uv(
        *("export", "--quiet", "--no-hashes", "--no-header", "--no-annotate", "--all-packages", "--all-extras"),
        *("--all-groups", "--no-emit-workspace"),
    )
    return exported.splitlines()


@cache
def _environments() -> dict[str, Environment]:
    """Build the two environments, once in a process."""
    resolution = [line for line in workspace_resolution() if not line.startswith(_SDK)]
    published = install(BASELINE, resolution, *PUBLISHED)
    sdk = [f"{name}=={version}" for name, version in published.versions().items() if name in _SDK]

    members = workspace.packages()
    folders = [str(workspace.find("prefect-integration-kit", members).path)]
    for name in PACKAGES:
        extra = "[fast]" if name == "prefect-aws" else ""
        folders.append(f"{workspace.find(name, members).path}{extra}")
    reinstall = [f"--reinstall-package={name}" for name in (*PACKAGES, "prefect-integration-kit")]
    ours = install("ours", [*resolution, *sdk], *reinstall, *folders)
    return {BASELINE: published, "ours": ours}


def environments() -> dict[str, Environment]:
    """Build the two environments in `.benches/`, or bring them up to date.

    Both have the same versions of everything else: those of the workspace's resolution, but the AWS SDK that the
    published package asks for, since it admits one version only.

    Returns:
        `published`, with the newest releases from the registry, and `ours`, with what stands in this tree.

    Raises:
        BenchError: If uv cannot build one.
    """
    return dict(_environments())


@cache
def with_extras() -> dict[str, Environment]:
    """Build the two environments, and two more with the packages' extras, `published-extras` and `ours-extras`."""
    built = environments()
    for variant in (BASELINE, "ours"):
        resolution = [f"{name}=={version}" for name, version in built[variant].versions().items()]
        resolution = [line for line in resolution if not line.startswith("prefect-")]
        built[f"{variant}-extras"] = install(f"{variant}-extras", resolution, *_requirements(variant))
    return built


def _requirements(variant: str) -> list[str]:
    if variant == BASELINE:
        return [
            requirement.replace(">=", "[all-extras]>=") if requirement.startswith(_WITH_EXTRAS) else requirement
            for requirement in PUBLISHED
        ]
    members = workspace.packages()
    folders = [str(workspace.find("prefect-integration-kit", members).path)]
    for name in PACKAGES:
        folder = str(workspace.find(name, members).path)
        extras = ["all-extras"] if name in _WITH_EXTRAS else []
        if name in _FAST:
            extras.append("fast")
        folders.append(f"{folder}[{','.join(extras)}]" if extras else folder)
    return [*(f"--reinstall-package={name}" for name in (*PACKAGES, "prefect-integration-kit")), *folders]


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass
class Sample:
    """What one run of a probe gave.

    Attributes:
        values: Numbers by the name of their metric.
        failure: Why there are no numbers, or None.
    """

    values: dict[str, float] = field(default_factory=dict[str, float])
    failure: str | None = None


def measure(
    environment: Environment,
    probe: str,
    *arguments: str,
    timeout_seconds: float = 300.0,
    environ: Mapping[str, str] | None = None,
    watch_tree: bool = False,
) -> Sample:
    """Run a probe once.

    Args:
        environment: Where to run it.
        probe: Name of the program in `probes/`.
        arguments: Its arguments.
        timeout_seconds: Seconds after which it is ended; the sample then says so.
        environ: Variables to add. Those of Prefect, AWS and Python are taken out of what is inherited.
        watch_tree: Whether to count the memory of all processes that the probe starts, as `tree_mib`.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        used_file = Path(home) / ".used.json"
        process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(_LAUNCH), str(used_file)),
                *(str(environment.python), str(FOLDER / "probes" / f"{probe}.py"), *arguments),
            ],
            env={**inherited, "PREFECT_HOME": home, "PREFECT_LOGGING_TO_API_ENABLED": "false", **(environ or {})},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        timer = threading.Timer(timeout_seconds, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        watch = TreeWatch(process.pid)
        try:
            with watch if watch_tree else nullcontext():
                process.wait()
        except BaseException:  # such as Ctrl-C, of which a session of its own hears nothing
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            late = not timer.is_alive()
            timer.cancel()
        if late:
            return Sample(failure=f"over {timeout_seconds:g} s")
        used = json.loads(used_file.read_text(encoding="utf-8"))
        out.seek(0)
        err.seek(0)
        said = err.read().decode(errors="replace").strip()
        if used["code"] != 0:
            raise BenchError(f"{probe} {' '.join(arguments)} in {environment.name} failed:\n{said[-2000:]}")
        if said and os.environ.get(_SHOW_VARIABLE):
            print(said, file=sys.stderr, flush=True)
        values: dict[str, float] = json.loads(out.read().splitlines()[-1])
    values.setdefault("cpu_s", used["cpu_s"])
    values.setdefault("peak_mib", used["peak_mib"])
    if watch_tree:
        values["tree_mib"] = watch.peak_mib
    return Sample(values)


@dataclass(frozen=True)
class Case:
    """One thing to measure, in one way.

    Attributes:
        what: What is done; cases of one `what` are compared with each other.
        variant: By whom; `published` is what the others are compared with.
        environment: Name of the environment.
        arguments: The probe's arguments.
        environ: Variables for the probe.
    """

    what: str
    variant: str
    environment: str
    arguments: tuple[str, ...]
    environ: tuple[tuple[str, str], ...] = ()


@contextmanager
def nothing_around(case: Case) -> Generator[tuple[str, ...]]:
    """Prepare nothing for a run, and add no arguments."""
    del case
    yield ()


def alternate(
    cases: Sequence[Case],
    probe: str,
    rounds: int,
    *,
    timeout_seconds: float = 300.0,
    warm_up: bool = True,
    around: Callable[[Case], AbstractContextManager[tuple[str, ...]]] = nothing_around,
    built: Mapping[str, Environment] | None = None,
    watch_tree: bool = False,
) -> dict[Case, list[Sample]]:
    """Measure all cases by turns, so that what else the machine does meets all of them alike.

    Args:
        cases: What to measure, in the order of a round.
        probe: The probe that measures them.
        rounds: How often.
        timeout_seconds: Seconds for one run; a case that takes longer is not tried again.
        warm_up: Whether to run each case once before, unmeasured.
        around: Prepares a run, gives further arguments for it, and looks at what it did; not part of the times.
        built: The environments by name; those of `environments` when not given.
        watch_tree: Whether to count the memory of all processes that a probe starts, as `tree_mib`.
    """
    built = environments() if built is None else built
    samples: dict[Case, list[Sample]] = {case: [] for case in cases}
    for number in range(0 if warm_up else 1, rounds + 1):
        for case in cases:
            if any(sample.failure for sample in samples[case]):
                continue
            with around(case) as more:
                sample = measure(
                    built[case.environment],
                    probe,
                    *case.arguments,
                    *more,
                    timeout_seconds=timeout_seconds,
                    environ=dict(case.environ),
                    watch_tree=watch_tree,
                )
            shown = sample.failure or ", ".join(f"{k} {v:.4g}" for k, v in sample.values.items())
            print(f"  {number or 'warm-up'}  {case.what} · {case.variant}: {shown}", file=sys.stderr, flush=True)
            if number or sample.failure:
                samples[case].append(sample)
    return samples


# --- reporting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metric:
    """A column of the table.

    Attributes:
        key: Its key in the samples.
        heading: Its heading.
        digits: How many digits to show after the point.
        compared: Whether less is better, so that a ratio says something.
    """

    key: str
    heading: str
    digits: int = 2
    compared: bool = True


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _range(values: Sequence[float], digits: int) -> str:
    low, high = _number(min(values), digits), _number(max(values), digits)
    middle = _number(statistics.median(values), digits)
    return middle if low == high else f"{middle} ({low}-{high})"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}" if value >= 2 else f"{value:.2f}"


def ratio(baseline: Sequence[float], values: Sequence[float]) -> str | None:
    """Say how many times less `values` are than `baseline`, round by round: the median, and the spread."""
    pairs = [old / new for old, new in zip(baseline, values, strict=False) if new > 0]
    if not pairs:
        return None
    low, high, middle = _times(min(pairs)), _times(max(pairs)), _times(statistics.median(pairs))
    return f"**{middle}x**" if low == high else f"**{middle}x** ({low}-{high})"


def table(samples: Mapping[Case, Sequence[Sample]], metrics: Sequence[Metric]) -> str:
    """Render a Markdown table: median (lowest-highest), and the ratio to the baseline of the same case."""
    lines = [
        f"| what | variant | {' | '.join(metric.heading for metric in metrics)} |",
        f"| --- | --- |{' --- |' * len(metrics)}",
    ]
    for case, runs in samples.items():
        base = next((c for c in samples if c.what == case.what and c.variant == BASELINE), None)
        cells: list[str] = []
        for metric in metrics:
            if failure := next((run.failure for run in runs if run.failure), None):
                cells.append(failure)
                continue
            values = [run.values[metric.key] for run in runs]
            cell = _range(values, metric.digits)
            if metric.compared and base is not None and base != case and not any(run.failure for run in samples[base]):
                compared = ratio([run.values[metric.key] for run in samples[base]], values)
                cell += f" · {compared}" if compared else ""
            cells.append(cell)
        lines.append(f"| {case.what} | {case.variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def save(
    name: str,
    about: str,
    samples: Mapping[Case, Sequence[Sample]],
    metrics: Sequence[Metric],
    *,
    note: str = "",
    keep: bool = True,
    among: bool = False,
    measured_on: str | None = None,
) -> str:
    """Write the samples to `results/<name>.json` and rewrite `RESULTS.md`; return the table.

    Args:
        name: Name of the bench.
        about: What it measures, in one or two sentences.
        samples: What `alternate` returned.
        metrics: The columns.
        note: Markdown to put below the table.
        keep: Whether to write anything; a run of some cases only replaces no results.
        among: Whether cases that were not measured now keep their results: a bench of hours is measured in parts.
        measured_on: The versions that were compared, in a sentence; by default those of `environments`.
    """
    today = datetime.now(timezone.utc).date().isoformat()
    if keep and among:
        samples, today = _among(RESULTS / f"{name}.json", samples, today)
    rendered = "\n\n".join(part for part in (table(samples, metrics), note) if part)
    if not keep:
        return rendered
    result: dict[str, Any] = {
        "name": name,
        "about": about,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, "
        f"Python {platform.python_version()}",
        "measured_at": today,
        "measured_on": _compared() if measured_on is None else measured_on,
        "table": rendered.splitlines(),
        "samples": [
            {"what": case.what, "variant": case.variant, "runs": [asdict(run) for run in runs]}
            for case, runs in samples.items()
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    RESULTS.joinpath(f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    FOLDER.joinpath("RESULTS.md").write_text(_results_page(), encoding="utf-8")
    return rendered


def _among(
    file: Path, samples: Mapping[Case, Sequence[Sample]], today: str
) -> tuple[Mapping[Case, Sequence[Sample]], str]:
    """Put samples in the place of those that a file has of the same cases; say from when to when all were taken."""
    if not file.is_file():
        return samples, today
    saved = json.loads(file.read_text(encoding="utf-8"))
    new = {(case.what, case.variant): (case, runs) for case, runs in samples.items()}
    found: dict[Case, Sequence[Sample]] = {}
    is_older = False
    for each in saved["samples"]:
        if (mine := new.pop((each["what"], each["variant"]), None)) is not None:
            found[mine[0]] = mine[1]
        else:
            is_older = True
            case = Case(each["what"], each["variant"], each["variant"], ())
            found[case] = [Sample(**run) for run in each["runs"]]
    found |= dict(new.values())
    first = str(saved["measured_at"]).partition(" ")[0]
    return found, f"{first} to {today}" if is_older and first != today else today


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _compared() -> str:
    built = {name: environment.versions() for name, environment in environments().items()}
    newer = ", ".join(f"{package} {built['ours'].get(package)}" for package in PACKAGES)
    older = ", ".join(f"{package} {built[BASELINE].get(package)}" for package in PACKAGES)
    return f"Prefect {built['ours'].get('prefect')}. Ours: {newer}. Published: {older}."


_RESULTS_HEAD = """\
# Results

`just bench` writes this page. Each cell is the median of the rounds (lowest-highest) and, after the dot, how many times
less than the published package of the same round: above 1 is better.
"""


def _results_page() -> str:
    parts = [_RESULTS_HEAD]
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        table_text = "\n".join(result["table"])
        parts.append(
            f"## `just bench {result['name']}`\n\n{result['about']}\n\n{table_text}\n\n"
            f"{result['machine']}; {result['measured_on']}\n"
        )
    return "\n".join(parts)


def beside(raw_variant: str, samples: Mapping[Case, Sequence[Sample]], keys: Mapping[str, str]) -> str:
    """Write a table of how many times what the plain tool needs each variant needs, round by round.

    Args:
        raw_variant: The variant that is the plain tool.
        samples: What was measured.
        keys: Values to compare, and their headings.
    """
    lines = [f"| beside `{raw_variant}` | variant | {' | '.join(keys.values())} |", "| --- " * (2 + len(keys)) + "|"]
    for case, runs in samples.items():
        found = (each for other, each in samples.items() if other.what == case.what and other.variant == raw_variant)
        raw = next(found, None)
        if raw is None or case.variant == raw_variant or any(sample.failure for sample in (*runs, *raw)):
            continue
        cells = [
            f"{statistics.median(a.values[key] / b.values[key] for a, b in zip(runs, raw, strict=False)):.2f}x"
            for key in keys
        ]
        lines.append(f"| {case.what} | {case.variant} | {' | '.join(cells)} |")
    return "\n".join(lines)

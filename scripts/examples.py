"""List and run the examples: the `examples/*.py` that begin with front matter.

    python -m scripts.examples list             title and file of each
    python -m scripts.examples run              run all of them, two at a time: they wait as often as they compute
    python -m scripts.examples run tour         run one, by the name of its file

`prefect_integration_docs.examples` reads them. An example ends with exit code 0 within its time, offline, on the
packages of the `examples` group of the root `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import IO

from packaging.requirements import Requirement

from prefect_integration_docs.examples import Example, read_examples
from scripts import workspace

FOLDER = workspace.ROOT / "examples"
TIMEOUT_SECONDS = 180.0
AT_A_TIME = 2
GRACE_SECONDS = 10.0

# Examples are offline: Prefect must not report its use, as it would from its import on.
_SILENCE = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def missing(example: Example) -> list[str]:
    """List the dependencies of an example that this environment lacks, or has in a wrong version."""
    lacking: list[str] = []
    for dependency in example.dependencies:
        requirement = Requirement(dependency)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            lacking.append(dependency)
        else:
            if not requirement.specifier.contains(installed, prereleases=True):
                lacking.append(f"{dependency} (installed: {installed})")
    return lacking


def run(example: Example, timeout_seconds: float = TIMEOUT_SECONDS, output: IO[bytes] | None = None) -> str | None:
    """Run an example and return what went wrong, or None.

    Args:
        example: The example.
        timeout_seconds: Seconds after which it is ended, with everything that it started.
        output: Where to write what it prints; by default that is shown as it happens.
    """
    if lacking := missing(example):
        return f"needs {', '.join(lacking)}; add it to the `examples` group of the root pyproject.toml"
    command = [sys.executable if part == "python" else part for part in example.cmd]
    environment = {**os.environ, **_SILENCE}
    try:
        process = subprocess.Popen(
            command,
            cwd=workspace.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as exc:
        return f"cannot start {command[0]!r}: {exc.strerror}"
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        return f"still ran after {timeout_seconds:g} s"
    finally:
        _end_group(process)
    return None if code == 0 else f"ended with exit code {code}"


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a process and its children: politely first, since it may have servers to stop."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)


def run_all(chosen: list[Example], timeout_seconds: float, at_a_time: int = AT_A_TIME) -> int:
    """Run examples, say how each ended, and return 1 when one failed.

    Args:
        chosen: The examples.
        timeout_seconds: Seconds for each.
        at_a_time: How many run at a time. Of several, what each prints is shown when it has ended.
    """
    printing = Lock()
    streams = min(at_a_time, len(chosen)) <= 1

    def show(example: Example) -> bool:
        with tempfile.TemporaryFile() as printed:
            if streams:
                print(f"--- {example.path.name}: {example.title}", flush=True)
            begin = time.monotonic()
            wrong = run(example, timeout_seconds, None if streams else printed)
            seconds = time.monotonic() - begin
            printed.seek(0)
            with printing:
                if not streams:
                    print(f"--- {example.path.name}: {example.title}")
                    print(printed.read().decode(errors="replace"), end="")
                print(f"--- {example.path.name}: {wrong or 'passed'} ({seconds:.1f} s)", flush=True)
        return wrong is not None

    with ThreadPoolExecutor(max(at_a_time, 1)) as pool:
        return int(any(list(pool.map(show, chosen))))


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Run one of the commands that the module's docstring lists."""
    parser = argparse.ArgumentParser(prog="examples.py", description="List and run the examples.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="title and file of each")
    runner = commands.add_parser("run", help="run all, or those that are named")
    runner.add_argument("names", nargs="*", metavar="NAME", help="name of the file, without .py")
    runner.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds for each")
    options = parser.parse_args(arguments)
    found, problems = read_examples(folder)
    for problem in problems:
        print(f"{'error: ' if problem.fatal else ''}{problem.within(workspace.ROOT)}", file=sys.stderr)
    if any(problem.fatal for problem in problems):
        return 2
    if options.command == "list":
        for example in found:
            print(f"{example.path.name:20} {example.title}{' (draft)' if example.draft else ''}")
        return 0
    if unknown := sorted(set(options.names) - {example.path.stem for example in found}):
        names = ", ".join(example.path.stem for example in found)
        print(f"error: no example is named {unknown[0]!r}; there are: {names}", file=sys.stderr)
        return 2
    chosen = [e for e in found if not options.names or e.path.stem in options.names]
    return run_all(chosen, options.timeout)


if __name__ == "__main__":
    raise SystemExit(main())

"""Fuzz parsers: `python -m fuzz [TARGET…] --seconds 20`. A target is `docker.volumes`, or all of `docker`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .engines import has_atheris, run_atheris, run_hypothesis, text_of
from .registry import SEPARATOR, chosen

_FINDINGS = ("crash-*", "timeout-*", "oom-*", "leak-*")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the targets one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all by default")
    parser.add_argument("--seconds", type=float, default=20, help="for each target (default: 20)")
    parser.add_argument("--engine", choices=("atheris", "hypothesis"), help="atheris where it is installed")
    parser.add_argument("--list", action="store_true", help="only name the targets")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    engine = given.engine or ("atheris" if has_atheris() else "hypothesis")
    if given.child is not None:
        _run(given.targets[0], engine, given.seconds, given.child)
        return 0
    try:
        names = chosen(given.targets)
    except LookupError as exc:
        parser.error(str(exc))
    if given.list:
        print(*names, sep="\n")
        return 0
    failed = [name for name in names if not _fuzz(name, engine, given.seconds)]
    print(f"{len(names) - len(failed)} of {len(names)} targets held for {given.seconds:g} seconds each, by {engine}.")
    if failed:
        print(f"Not these: {', '.join(failed)}.")
    return bool(failed)


def _run(name: str, engine: str, seconds: float, folder: Path) -> None:
    package = f"prefect_{name.partition('.')[0]}"
    if engine == "atheris":
        run_atheris(name, [package if package != "prefect_kit" else "prefect_integration_kit"], seconds, folder)
    else:
        run_hypothesis(name, seconds, folder)


def _fuzz(name: str, engine: str, seconds: float) -> bool:
    """Fuzz one target, and say whether it held."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        command = [sys.executable, "-m", "fuzz", name, "--seconds", str(seconds), "--engine", engine, "--child", folder]
        # Twice the time and a minute: what hangs in C code, no signal ends.
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False, timeout=seconds * 2 + 60
            )
            said, held = done.stdout + done.stderr, done.returncode == 0
        except subprocess.TimeoutExpired as exc:
            said, held = f"{exc.stdout or b''!r}\n{exc.stderr or b''!r}\nIt hung.", False
        found = [path for pattern in _FINDINGS for path in sorted(Path(folder).glob(pattern))]
        inputs = [text_of(path.read_bytes()) for path in found]
    held = held and not found
    runs = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "")
    print(f"{name}: {'held' if held else 'FAILED'} ({time.monotonic() - start:.0f} s{runs and f', {runs} inputs'})")
    if not held:
        print("\n".join(said.splitlines()[-60:]))
        for text in inputs:
            parts = text.split(SEPARATOR)
            print(f"Input: {', '.join(map(ascii, parts))}")
    sys.stdout.flush()
    return held


if __name__ == "__main__":
    sys.exit(main())

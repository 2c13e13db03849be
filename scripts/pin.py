"""Move the date that pins every dependency, `exclude-newer`, forward, and propose the move as a pull request.

    python -m scripts.pin                to a week ago
    python -m scripts.pin --propose      and open a pull request for it, or renew the one that is open

There is no lock to update: the date is the pin, and one line decides what all packages and tools resolve to. A week is
long enough for a release that is broken or malicious to be found out and taken back. For `--propose`, `GH_TOKEN` must
be allowed to write contents, pull requests and actions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from scripts.workspace import ROOT, WorkspaceError

BRANCH = "move-the-pin"
_AGE = timedelta(days=7)
_PIN = re.compile(r'^exclude-newer = "(?P<date>\d{4}-\d\d-\d\d)T00:00:00Z"$', re.MULTILINE)
_AUTHOR = (
    *("-c", "user.name=github-actions[bot]"),
    *("-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com"),
)


def moved(text: str, to: date) -> str:
    """Move the pin in a `pyproject.toml`, never back.

    Args:
        text: Content of the file.
        to: The date that is wanted.

    Raises:
        WorkspaceError: If there is not one pin.
    """
    if len(found := list(_PIN.finditer(text))) != 1:
        raise WorkspaceError('pyproject.toml needs one line of the form exclude-newer = "2026-01-31T00:00:00Z"')
    match = found[0]
    if date.fromisoformat(match["date"]) >= to:
        return text
    return text[: match.start("date")] + to.isoformat() + text[match.end("date") :]


def propose(to: date, root: Path) -> None:
    """Push the move to a branch of its own, have it tested, and open a pull request unless there is one.

    What `GITHUB_TOKEN` pushes starts no workflow, but for those that it starts by name.

    Args:
        to: The new date.
        root: The repository, where `pyproject.toml` has been changed.
    """
    title = f"Dependencies as of {to.isoformat()}"
    body = "Moves `exclude-newer`. The checks run on this branch: what they find belongs into this pull request."

    def run(*command: str) -> str:
        return subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout

    run("gh", "auth", "setup-git")
    run("git", "switch", "--force-create", BRANCH)
    run("git", *_AUTHOR, "commit", "--quiet", "--message", title, "pyproject.toml")
    run("git", "push", "--quiet", "--force", "origin", BRANCH)
    if run("gh", "pr", "list", "--head", BRANCH, "--state", "open", "--json", "number").strip() in ("", "[]"):
        run("gh", "pr", "create", "--head", BRANCH, "--title", title, "--body", body)
    else:
        run("gh", "pr", "edit", BRANCH, "--title", title)
    run("gh", "workflow", "run", "checks.yml", "--ref", BRANCH)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Move the pin."""
    parser = argparse.ArgumentParser(prog="pin.py", description="Move the date that pins every dependency.")
    parser.add_argument("--propose", action="store_true", help="open a pull request for it")
    options = parser.parse_args(arguments)
    to = datetime.now(timezone.utc).date() - _AGE
    file = root / "pyproject.toml"
    before = file.read_text(encoding="utf-8")
    try:
        after = moved(before, to)
    except WorkspaceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    if after == before:
        print("The pin is not older than a week.")
        return 0
    file.write_text(after, encoding="utf-8")
    print(f"Moved the pin to {to.isoformat()}.")
    if options.propose:
        propose(to, root)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

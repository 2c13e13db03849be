"""Say in an issue how a scheduled workflow went: open or continue it on failure, close it when all is well again.

    python -m scripts.report "Newest releases" failure

The second argument is what GitHub calls the result of a job: `success`, `failure`, `cancelled` or `skipped`; the last
two say nothing. There is one open issue of a title at a time. `GH_TOKEN` must be allowed to write issues.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys


def report(title: str, result: str, run_url: str) -> None:
    """Open, continue or close the issue of that title.

    Args:
        title: What the workflow finds out.
        result: How it went.
        run_url: Where to read on.
    """
    listed = _gh("list", "--state", "open", "--search", f'in:title "{title}"', "--json", "number,title")
    numbers = [str(issue["number"]) for issue in json.loads(listed or "[]") if issue["title"] == title]
    if result == "failure":
        body = f"It failed again: {run_url}" if numbers else f"Something broke: {run_url}"
        _gh(*(("comment", numbers[0]) if numbers else ("create", "--title", title)), "--body", body)
    elif result == "success":
        for number in numbers:
            _gh("close", number, "--comment", f"All is well again: {run_url}")


def _gh(*arguments: str) -> str:
    return subprocess.run(["gh", "issue", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def main(arguments: list[str]) -> int:
    """Report one run."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    server, repository, run = (os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    report(*arguments, run_url=f"{server}/{repository}/actions/runs/{run}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

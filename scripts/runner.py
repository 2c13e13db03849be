"""Prepare a machine for tests: install the Debian packages and start the cluster that packages' metadata name.

    python -m scripts.runner aws     for one package
    python -m scripts.runner all     for every package

Meant for a workflow's runner: it installs as root, and tells the following steps by `GITHUB_ENV` where the cluster is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts import workspace
from scripts.matrix import Needs, all_needs
from scripts.workspace import WorkspaceError


def needed(name: str, tests: Sequence[Needs]) -> tuple[list[str], bool]:
    """Return the Debian packages that tests need, in order, and whether they need a cluster.

    Args:
        name: A package, by short or full name, or `all`.
        tests: What the tests of all packages need.

    Raises:
        WorkspaceError: If no package has that name.
    """
    wanted = [each.package for each in tests] if name == "all" else [workspace.find(name, workspace.packages()).name]
    chosen = [each for each in tests if each.package in wanted]
    return sorted({package for each in chosen for package in each.apt}), any(each.cluster for each in chosen)


def prepare(apt: Sequence[str], *, cluster: bool) -> None:
    """Install packages, and start a cluster.

    Raises:
        CalledProcessError: If one of the programs fails; it has said why.
    """
    if apt:
        apt_get = [*_as_root(), "apt-get", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"]
        subprocess.run([*apt_get, "update", "-qq"], check=True)
        subprocess.run([*apt_get, "install", "-qq", "--yes", "--no-install-recommends", *apt], check=True)
    if cluster:
        # `kind` is part of the image of GitHub's runners.
        kubeconfig = Path(os.environ.get("RUNNER_TEMP", "/tmp"), "kubeconfig")
        subprocess.run(["kind", "create", "cluster", "--wait", "120s", "--kubeconfig", str(kubeconfig)], check=True)
        with Path(os.environ.get("GITHUB_ENV", os.devnull)).open("a", encoding="utf-8") as later:
            later.write(f"KUBERNETES_TEST_KUBECONFIG={kubeconfig}\n")


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "DEBIAN_FRONTEND=noninteractive"]


def main(arguments: list[str]) -> int:
    """Prepare this machine."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        apt, cluster = needed(arguments[0], all_needs())
    except WorkspaceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    prepare(apt, cluster=cluster)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

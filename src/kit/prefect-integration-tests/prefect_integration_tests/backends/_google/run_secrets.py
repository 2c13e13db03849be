"""Secrets that jobs may use, as Secret Manager would keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from .errors import Json


class Secrets:
    """Values by full name of a version; `set` is for tests."""

    def __init__(self) -> None:
        """Start with none."""
        self._values: dict[str, dict[str, str]] = {}

    def set(self, secret: str, value: str, *, version: str | None = None) -> None:
        """Add a version.

        Args:
            secret: `projects/p/secrets/name`, or `name` for one of any project.
            value: What it holds.
            version: Its number; the next one by default.
        """
        versions = self._values.setdefault(secret, {})
        number = version or str(len(versions) + 1)
        versions[number] = versions["latest"] = value

    def find(self, project: str, secret: str, version: str) -> str | None:
        """Give the value of a version, `None` when there is none.

        Args:
            project: Project of the job.
            secret: As the job names it: `name`, or `projects/p/secrets/name`.
            version: Number or `latest`.
        """
        full = secret if "/" in secret else f"projects/{project}/secrets/{secret}"
        versions = self._values.get(full) or self._values.get(full.rpartition("/")[2]) or {}
        return versions.get(version or "latest")

    def missing(self, project: str, task: Json) -> str:
        """Name a secret that a task wants and that is not there; empty when all are."""
        for secret, version in _wanted(task):
            if self.find(project, secret, version) is None:
                full = secret if "/" in secret else f"projects/{project}/secrets/{secret}"
                return f"{full}/versions/{version or 'latest'}"
        return ""

    def environment(self, project: str, container: Json) -> dict[str, str]:
        """Give a container's variables with their values."""
        values: dict[str, str] = {}
        for variable in cast("list[Json]", container.get("env", [])):
            reference = variable.get("valueSource", {}).get("secretKeyRef")
            if reference is None:
                values[variable["name"]] = variable.get("value", "")
            else:
                found = self.find(project, reference["secret"], reference.get("version", ""))
                values[variable["name"]] = found or ""
        return values

    def volumes(self, project: str, task: Json) -> dict[str, dict[str, str]]:
        """Give the files of a task's secret volumes."""
        found: dict[str, dict[str, str]] = {}
        for volume in cast("list[Json]", task.get("volumes", [])):
            secret = volume.get("secret")
            if secret is None:
                continue
            items: list[Json] = secret.get("items") or [{"path": secret["secret"].rpartition("/")[2]}]
            found[volume["name"]] = {
                item["path"]: self.find(project, secret["secret"], item.get("version", "")) or "" for item in items
            }
        return found


def _wanted(task: Json) -> Iterator[tuple[str, str]]:
    for container in cast("list[Json]", task.get("containers", [])):
        for variable in cast("list[Json]", container.get("env", [])):
            reference = variable.get("valueSource", {}).get("secretKeyRef")
            if reference is not None:
                yield reference["secret"], reference.get("version", "")
    for volume in cast("list[Json]", task.get("volumes", [])):
        if secret := volume.get("secret"):
            items: list[Json] = secret.get("items") or [{}]
            for item in items:
                yield secret["secret"], item.get("version", "")

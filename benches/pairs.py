"""Environments for a bench of one package, or of some: what is published, and what stands in this tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benches import harness
from benches.harness import BASELINE, Environment
from scripts import workspace

_KIT = "prefect-integration-kit"


def pair(
    prefix: str, packages: Sequence[str], *, beside: Sequence[str] = (), extras: tuple[str, str] = ("", "")
) -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the packages themselves.

    Args:
        prefix: What the folders of the environments begin with, as in `dask-published`.
        packages: Names of the packages to compare.
        beside: Further packages of this tree that ours need.
        extras: Extras of the packages, as they are published and of ours, separated by commas.
    """
    theirs, own = [f"[{names}]" if names else "" for names in extras]
    published = [
        f"{name}{theirs}{sign}{version}"
        for name, sign, version in (line.partition(">=") for line in harness.PUBLISHED)
        if name in packages
    ]
    names = (_KIT, *packages, *beside)
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(names)]
    members = workspace.packages()
    folders = [f"{workspace.find(name, members).path}{own if name in packages else ''}" for name in names]
    reinstall = [f"--reinstall-package={name}" for name in names]
    return {
        BASELINE: harness.install(f"{prefix}-published", resolution, *published),
        "ours": harness.install(f"{prefix}-ours", resolution, *reinstall, *folders),
    }


def compared(built: Mapping[str, Environment], packages: Sequence[str], *, under: Sequence[str] = ()) -> str:
    """Say which versions were compared.

    Args:
        built: What `pair` has built.
        packages: The packages that were compared.
        under: Names of further distributions, the same in both, to name beside Prefect.
    """
    versions = {name: environment.versions() for name, environment in built.items()}

    def named(variant: str, names: Sequence[str]) -> str:
        return ", ".join(f"{name} {versions[variant].get(name)}" for name in names)

    same = named("ours", ("prefect", *under)).replace("prefect", "Prefect", 1)
    return f"{same}. Ours: {named('ours', packages)}. Published: {named(BASELINE, packages)}."

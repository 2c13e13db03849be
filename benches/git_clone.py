"""How long a pull of a repository takes, beside git itself and the published packages."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

from benches import harness
from benches.harness import BASELINE, Case, Environment, Metric
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.git_server import GitServer, basic
from scripts import workspace

ABOUT = (
    "A repository of 2,000 files of 2 KB in 40 folders and ten commits, pulled at depth 1 with a token from a real git"
    " server over HTTPS on the same machine: `git clone` with the token in the address, and `get_directory` of each"
    " package's block. CPU is that of Python, git and its children, without the server."
)
METRICS = (
    Metric("clone_s", "seconds"),
    Metric("clone_cpu_s", "CPU s"),
    Metric("files", "files", 0, compared=False),
)
RAW = "git clone"
HOSTS = {"GitHub": "github", "GitLab": "gitlab", "Bitbucket": "bitbucket"}
_PUBLISHED = ("prefect-github==0.4.4", "prefect-gitlab==0.3.5", "prefect-bitbucket==0.3.7")
_OWN = ("prefect-integration-kit", *(requirement.partition("==")[0] for requirement in _PUBLISHED))
_TOKEN = "bench-token"
_TIMEOUT_SECONDS = 120.0


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the packages themselves."""
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(_OWN)]
    members = workspace.packages()
    folders = [str(workspace.find(name, members).path) for name in _OWN]
    reinstall = [f"--reinstall-package={name}" for name in _OWN]
    return {
        BASELINE: harness.install("git-published", resolution, *_PUBLISHED),
        "ours": harness.install("git-ours", resolution, *reinstall, *folders),
    }


def _fill(server: GitServer) -> str:
    """Make the repository, and return its address."""
    dice = random.Random(2000)
    repository = server.repository("org/repo.git")
    files = {f"part{number % 40:02}/file{number:04}.txt": _text(dice) for number in range(2000)}
    repository.commit(files)
    for number in range(9):
        repository.commit({f"part{number:02}/file{number:04}.txt": _text(dice)})
    names = ("oauth2", "x-token-auth", "x-access-token")
    server.require(*(basic(name, _TOKEN) for name in names), basic(_TOKEN, ""), basic(_TOKEN, "x-oauth-basic"))
    return server.url(repository)


def _text(dice: random.Random) -> bytes:
    return "".join(f"{dice.getrandbits(256):064x}\n" for _ in range(32)).encode()


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    built = environments()
    with tempfile.TemporaryDirectory() as folder:
        authority = PrivateCA(Path(folder))
        root = Path(folder) / "git"
        root.mkdir()
        with GitServer(root, authority.issue("git", "127.0.0.1")) as server:
            url = _fill(server)
            environ = {
                "GIT_SSL_CAINFO": str(authority.ca_file),
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_CONFIG_NOSYSTEM": "1",
            }
            cases = [
                Case(host, variant, environment, (way, url, _TOKEN), tuple(environ.items()))
                for host, name in HOSTS.items()
                for variant, environment, way in (
                    (RAW, "ours", "git"),
                    (BASELINE, BASELINE, name),
                    ("ours", "ours", name),
                )
                if only is None or only in f"{host} · {variant}"
            ]
            samples = harness.alternate(cases, "git_clone", rounds or 7, timeout_seconds=_TIMEOUT_SECONDS, built=built)
    versions = {name: environment.versions() for name, environment in built.items()}
    packages = _OWN[1:]
    ours, older = (
        ", ".join(f"{package} {versions[name].get(package)}" for package in packages) for name in ("ours", BASELINE)
    )
    measured_on = f"Prefect {versions['ours'].get('prefect')}. Ours: {ours}. Published: {older}."
    note = harness.beside(RAW, samples, {"clone_s": "time", "clone_cpu_s": "CPU"})
    return harness.save("git_clone", ABOUT, samples, METRICS, note=note, keep=only is None, measured_on=measured_on)

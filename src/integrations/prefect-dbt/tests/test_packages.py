"""`dbt deps` when the hub of packages fails: it is asked again, and what is there is whole or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

from prefect_dbt.core.runner import PrefectDbtRunner
from prefect_dbt.core.settings import PrefectDbtSettings
from prefect_dbt.errors import DbtDatabaseUnreachable, DbtInvocationFailed, DbtProjectError
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.faults import UNRESOLVABLE_HOST
from prefect_integration_tests.backends.http_edge import EdgeCall, EdgeFault, HttpEdge
from prefect_integration_tests.suites import HttpFaultSuite

from ._package_hub import VERSION, package_hub, publish
from ._projects import write_project

PACKAGES = {"first": ["second"], "second": []}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpEdge]:
    """The way to a hub with a package that depends on another one; dbt reads its address when it is imported."""
    folder = tmp_path_factory.mktemp("hub")
    with package_hub(folder) as url, HttpEdge(url) as edge:
        publish(folder, edge.url, PACKAGES)
        yield edge


@pytest.fixture(autouse=True)
def asks_the_hub(hub: HttpEdge, no_dbt_of_the_machine: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let dbt ask the hub, and no log line start a Prefect server."""
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", f"{hub.url}/")
    monkeypatch.setenv("DBT_HTTP_TIMEOUT", "0.8")  # for tarballs
    hub.clear()
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


def project_at(folder: Path, *names: str) -> Path:
    wanted = [{"package": f"acme/{name}", "version": VERSION} for name in names or ["first"]]
    return write_project(folder, {"packages.yml": json.dumps({"packages": wanted})})


def invoke(folder: Path, *args: str) -> None:
    PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder)).invoke(list(args))


def installed(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "dbt_packages").glob("*"))


def is_second(call: EdgeCall) -> bool:
    return call.path.endswith("/second.tar.gz")


class TestPackages(HttpFaultSuite):
    """The download of the second of two packages."""

    error = DbtInvocationFailed
    named = r"dbt deps failed: (.|\n)*run `dbt deps` again"
    lasting_seconds: ClassVar[float] = 90.0

    @pytest.fixture
    def edge(self, hub: HttpEdge, tmp_path: Path) -> HttpEdge:
        self.folder = project_at(tmp_path / "project")
        return hub

    def change(self, edge: HttpEdge, key: str) -> None:
        invoke(self.folder, "deps")

    def changes(self, edge: HttpEdge, key: str) -> int:
        found = installed(self.folder)
        assert found in ([], ["first", "second"])
        return int(bool(found))

    def strikes(self, call: EdgeCall) -> bool:
        return is_second(call)


@pytest.mark.parametrize("fault", ["reset", "429", "500", "503", "truncated", "lost"])
def test_what_the_hub_knows_of_a_package_is_asked_for_again(hub: HttpEdge, tmp_path: Path, fault: EdgeFault) -> None:
    folder = project_at(tmp_path / "project")
    with hub.fault(fault, where=lambda call: call.path.endswith("/first.json")) as struck:
        invoke(folder, "deps")
        assert struck() == 1
    assert installed(folder) == ["first", "second"]


def test_a_part_of_the_packages_is_not_taken_for_all_of_them(
    hub: HttpEdge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = project_at(tmp_path / "project")
    with hub.fault("503", times=None, where=is_second), pytest.raises(DbtInvocationFailed):
        invoke(folder, "deps")
    with pytest.raises(DbtProjectError, match=r"only 0 package\(s\) installed"):
        invoke(folder, "parse")
    assert list(tmp_path.glob("dbt-downloads-*")) == []
    invoke(folder, "deps")
    invoke(folder, "parse")
    assert installed(folder) == ["first", "second"]


def test_a_hub_that_is_away_leaves_the_packages_that_are_there(hub: HttpEdge, tmp_path: Path) -> None:
    folder = project_at(tmp_path / "project")
    invoke(folder, "deps")
    project_at(folder, "second", "first")
    away = hub.fault("503", times=None, where=lambda call: call.path.startswith("/api/"))
    with away, pytest.raises(DbtInvocationFailed, match="503 Server Error") as caught:
        invoke(folder, "deps", "--upgrade")
    assert "DBT_PACKAGE_HUB_URL" in str(caught.value)
    assert installed(folder) == ["first", "second"]
    invoke(folder, "parse")


def test_a_hub_that_no_resolver_knows_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_PACKAGE_HUB_URL", f"http://{UNRESOLVABLE_HOST}/")
    with pytest.raises(DbtInvocationFailed, match=rf"(?s){UNRESOLVABLE_HOST}.*DBT_PACKAGE_HUB_URL") as caught:
        invoke(project_at(tmp_path / "project"), "deps")
    assert not isinstance(caught.value, DbtDatabaseUnreachable)


def test_a_certificate_that_nobody_trusts_is_told_and_can_be_trusted(
    tmp_path: Path, private_ca: PrivateCA, http_edge: Callable[..., HttpEdge], monkeypatch: pytest.MonkeyPatch
) -> None:
    (served := tmp_path / "hub").mkdir()
    folder = project_at(tmp_path / "project")
    with package_hub(served) as url:
        edge = http_edge(url, context=private_ca.issue("hub", "127.0.0.1").server_context())
        publish(served, edge.url, PACKAGES)
        monkeypatch.setenv("DBT_PACKAGE_HUB_URL", f"{edge.url}/")
        with pytest.raises(DbtInvocationFailed, match=r"(?s)certificate verify failed.*REQUESTS_CA_BUNDLE"):
            invoke(folder, "deps")
        assert edge.calls == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(private_ca.ca_file))
        invoke(folder, "deps")
    assert installed(folder) == ["first", "second"]


# Disks

_ON_A_FULL_DISK = """
import resource, sys
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from prefect_dbt.errors import DbtError

folder, command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    PrefectDbtRunner(settings=PrefectDbtSettings(project_dir=folder, profiles_dir=folder)).invoke([command])
except DbtError as exc:
    print(type(exc).__name__, exc)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
@pytest.mark.parametrize("command", ["deps", "parse"])
def test_a_full_disk_is_told_and_what_was_half_written_does_no_harm(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project_at(tmp_path / "project")
    (folder / "target").rename(tmp_path / "unparsed")
    served = tmp_path_factory.mktemp("large")
    with package_hub(served) as url:
        publish(served, url, {**PACKAGES, "second": []})
        if command == "deps":
            with (served / "second.tar.gz").open("ab") as file:
                file.write(bytes(200_000))  # gzip ends before
        monkeypatch.setenv("DBT_PACKAGE_HUB_URL", f"{url}/")
        if command == "parse":
            invoke(folder, "deps")
        done = subprocess.run(
            [sys.executable, "-c", _ON_A_FULL_DISK, str(folder), command],
            env={**os.environ, "PREFECT_LOGGING_TO_API_ENABLED": "false"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.stdout.startswith(f"{DbtInvocationFailed.__name__} dbt {command} failed: "), done.stderr[-2000:]
        assert "File too large" in done.stdout
        assert "Make room on the disks" in done.stdout
        assert installed(folder) == (["first", "second"] if command == "parse" else [])
        invoke(folder, "deps")
        invoke(folder, "parse")

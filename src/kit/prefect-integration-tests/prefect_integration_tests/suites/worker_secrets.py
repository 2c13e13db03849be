"""What holds for every worker: secrets reach a run's environment, and nobody who looks on."""

from __future__ import annotations

import re
import uuid
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL, temporary_settings

from prefect_integration_tests.in_vain import NOWHERE, Calls, said_by
from prefect_integration_tests.public import Package
from prefect_integration_tests.worker_configurations import configured, places_of, workers_of

from .base import Suite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prefect_integration_tests.leaks import LeakWatch

_ENVIRONMENT = re.compile(r"env|secret", re.IGNORECASE)
"""Parts of a configuration that are meant for secrets, by the name of one of the fields that lead there."""

_SECONDS = 20


class WorkerSecretsSuite(Suite):
    """Checks every worker of a package, found through its public names.

    Attributes:
        package: Name of the import package, such as `"prefect_docker"`.
        optional_modules: Dotted names of modules that cannot be imported without an extra.
    """

    package: ClassVar[str]
    optional_modules: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def variables(self, worker: type[Any], canary: str) -> dict[str, Any]:
        """Give the job variables that a run of a worker needs, credentials with the canary among them.

        Args:
            worker: The worker's class; the method is called for every one of the package.
            canary: The value that the suite looks for. It stands in variables of the environment already; what `env`
                is returned here adds to them.
        """

    @abstractmethod
    def identifier(self, worker: type[Any]) -> str:
        """Give an identifier of infrastructure, as a worker's `run` returns it; there is no such infrastructure.

        Args:
            worker: The worker's class.
        """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that takes `worker_class` once for each worker of the package."""
        if "worker_class" in metafunc.fixturenames:
            classes = workers_of(Package(self.package, self.optional_modules))
            assert classes, f"{self.package} publishes no worker."
            metafunc.parametrize("worker_class", classes, ids=[cls.__name__ for cls in classes])

    def test_a_configuration_has_secrets_in_its_environment_only(
        self, worker_class: type[Any], canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: neither labels nor name, command or another part of the manifest has a secret, nor what is shown."""
        run = FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="brave-otter")
        key = {PREFECT_API_KEY: canary, PREFECT_API_AUTH_STRING: f"me:{canary}"}
        with temporary_settings({**key, PREFECT_API_URL: "https://prefect.example.com/api"}):
            configuration = configured(worker_class, run, None, self._all_variables(worker_class, canary))
        places = set(places_of(canary, configuration))
        assert not (wrong := {place for place in places if not _ENVIRONMENT.search(place)}), (
            f"A secret of the environment or of the credentials stands in {', '.join(sorted(wrong))}."
        )
        no_canary_leaks.add("repr or str", f"{configuration!r} {configuration}")
        no_canary_leaks.check()

    @pytest.mark.slow
    def test_a_run_in_vain_tells_no_secret(
        self, worker_class: type[Any], canary: str, no_canary_leaks: LeakWatch, tmp_path: Path, prefect_harness: None
    ) -> None:
        """Rule 3: a run that reaches no infrastructure says no secret: logs at DEBUG, errors, states, identifiers.

        The same for ending infrastructure, which cannot be reached either.
        """
        variables, identifier = self._all_variables(worker_class, canary), self.identifier(worker_class)
        calls = Calls(workers=((worker_class, variables, identifier),), canary=canary)
        api_url = PREFECT_API_URL.value() or f"{NOWHERE}/api"
        said = said_by(calls, tmp_path, seconds=_SECONDS, api_url=api_url)
        assert "SUBMITTED" in said, said[-3000:]
        assert f"KILLING {identifier}" in said, said[-3000:]
        no_canary_leaks.add(f"what {worker_class.__name__} says", said)
        no_canary_leaks.check()

    def _all_variables(self, worker: type[Any], canary: str) -> Mapping[str, Any]:
        given = self.variables(worker, canary)
        secrets = {"PREFECT_API_KEY": canary, "PREFECT_API_AUTH_STRING": f"me:{canary}", "DB_PASSWORD": canary}
        environment = {**secrets, **given.get("env", {})}
        return {**given, "env": {name: value for name, value in environment.items() if value is not None}}

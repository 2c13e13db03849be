"""A registry keeps images behind a login, and an engine is reached by TCP, in the clear or by TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("docker")

import docker

from prefect_integration_tests.backends.docker import DockerEngine
from prefect_integration_tests.backends.docker_front import DockerFront
from prefect_integration_tests.backends.processes import ServerError
from prefect_integration_tests.backends.registry import DockerRegistry

pytestmark = pytest.mark.xdist_group("docker")


@pytest.fixture
def image(docker_engine: DockerEngine, docker_registry: DockerRegistry) -> Iterator[str]:
    """A small image under a name of the registry, on the engine alone."""
    name = docker_registry.new_name()
    docker_engine.import_image(name, iter([b"\0" * 10240]))
    yield name
    if docker_engine.has_image(name):
        docker_engine.client().images.remove(name)


def test_what_is_pushed_is_pulled_with_the_login_alone(
    docker_engine: DockerEngine, docker_registry: DockerRegistry, image: str
):
    digest = docker_registry.push(docker_engine, image, image)
    assert digest.startswith("sha256:")
    assert not docker_engine.has_image(image)
    client = docker_engine.client()
    with pytest.raises(docker.errors.APIError):
        client.images.pull(image, auth_config={})
    pulled = client.images.pull(image, auth_config=docker_registry.auth_config)
    assert [name.partition("@")[2] for name in pulled.attrs["RepoDigests"]] == [digest]
    assert any("/manifests/" in request for request in docker_registry.requests())


def test_a_registry_without_a_login_is_for_everybody(docker_engine: DockerEngine, busybox_image: str):
    with DockerRegistry.start(login=False) as registry:
        name = registry.new_name()
        registry.push(docker_engine, busybox_image, name)
        docker_engine.client().images.pull(name, auth_config={})
        docker_engine.client().images.remove(name)


def test_what_it_kept_outlives_a_crash(docker_engine: DockerEngine, docker_registry: DockerRegistry, image: str):
    docker_registry.push(docker_engine, image, image)
    docker_registry.process.kill()
    docker_registry.process.start()
    docker_engine.client().images.pull(image, auth_config=docker_registry.auth_config)


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ServerError, match="apt-get install docker-registry"):
        DockerRegistry.start()


def test_the_front_lets_in_whom_its_authority_knows(docker_tls_front: DockerFront, monkeypatch: pytest.MonkeyPatch):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they win over `verify` of the SDK
        monkeypatch.delenv(name, raising=False)

    def client(folder: Any) -> Any:
        pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
        tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=str(docker_tls_front.cert_folder / "ca.pem"), verify=True)
        return docker.DockerClient(base_url=docker_tls_front.base_url, tls=tls, version="1.40", timeout=30)

    assert client(docker_tls_front.cert_folder).ping()
    with pytest.raises(Exception, match=r"closed|reset|certificate"):
        client(docker_tls_front.stranger_folder).ping()


def test_a_front_without_tls_needs_no_certificate(docker_engine: DockerEngine):
    with DockerFront.start(docker_engine, tls=False) as front:
        assert docker.DockerClient(base_url=front.base_url, timeout=30).ping()
        assert front.accepted

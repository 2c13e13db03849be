"""The engine that is meant is found and reached, and one that is not says why."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import docker
import pytest
import requests

from prefect_docker import DockerHost
from prefect_docker._endpoints import find_endpoint
from prefect_docker._engine import connect, open_engine
from prefect_docker.errors import (
    DockerContextInvalid,
    DockerInvalidRequest,
    DockerTimeout,
    DockerUnavailable,
    docker_errors,
)
from prefect_integration_tests.backends.docker_front import DockerFront

pytestmark = pytest.mark.xdist_group("docker")


def write_context(config: Path, name: str, host: str, tls: Path | None = None) -> None:
    """Make a context as `docker context create` does."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    if tls is not None:
        files = config / "contexts" / "tls" / digest / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            shutil.copy(tls / file, files / file)


def choose_context(config: Path, name: str) -> None:
    (config / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.fixture
def plain_front(docker_engine: Any) -> Iterator[DockerFront]:
    """The engine under a TCP address that speaks no TLS."""
    with DockerFront.start(docker_engine, tls=False) as front:
        yield front


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a run-time folder without any engine's socket."""
    for name, folder in (("HOME", "home"), ("XDG_RUNTIME_DIR", "run")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    return tmp_path


class TestWhereTheEngineIs:
    """The order of Docker's command line holds."""

    def test_without_anything_it_is_the_default_socket(self) -> None:
        assert find_endpoint({}).base_url == "unix:///var/run/docker.sock"

    def test_docker_host_wins_over_every_context(self, docker_config: Path) -> None:
        choose_context(docker_config, "absent")
        environment = {"DOCKER_HOST": "tcp://a:1", "DOCKER_CONTEXT": "b", "DOCKER_CONFIG": str(docker_config)}
        assert find_endpoint(environment).base_url == "tcp://a:1"

    def test_docker_context_wins_over_the_current_context(self, docker_config: Path) -> None:
        write_context(docker_config, "one", "unix:///one.sock")
        write_context(docker_config, "two", "unix:///two.sock")
        choose_context(docker_config, "one")
        environment = {"DOCKER_CONFIG": str(docker_config)}
        assert find_endpoint(environment).base_url == "unix:///one.sock"
        assert find_endpoint({**environment, "DOCKER_CONTEXT": "two"}).base_url == "unix:///two.sock"
        assert find_endpoint({**environment, "DOCKER_CONTEXT": "default"}).base_url == "unix:///var/run/docker.sock"

    def test_a_context_leads_to_the_engine(self, docker_engine: Any, docker_config: Path) -> None:
        write_context(docker_config, "tests", docker_engine.socket_url)
        choose_context(docker_config, "tests")
        assert open_engine().ping()

    def test_a_context_with_certificates_leads_to_the_engine(self, docker_tls_front: Any, docker_config: Path) -> None:
        write_context(docker_config, "remote", docker_tls_front.base_url, docker_tls_front.cert_folder)
        choose_context(docker_config, "remote")
        assert open_engine().ping()

    def test_a_context_that_is_not_there_is_named_with_those_that_are(
        self, docker_config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_context(docker_config, "colima", "unix:///colima.sock")
        monkeypatch.setenv("DOCKER_CONTEXT", "colma")
        with pytest.raises(DockerContextInvalid) as caught:
            open_engine()
        assert "Docker context 'colma', chosen by DOCKER_CONTEXT" in str(caught.value)
        assert "'default', 'colima'" in str(caught.value)

    def test_a_context_that_cannot_be_read_is_named_with_its_file(self, docker_config: Path) -> None:
        write_context(docker_config, "broken", "unix:///x.sock")
        next(docker_config.glob("contexts/meta/*/meta.json")).write_text("{")
        choose_context(docker_config, "broken")
        with pytest.raises(DockerContextInvalid, match=r"meta\.json names no Docker endpoint"):
            open_engine()


class TestClients:
    """Clients reach the engine as the block and the environment say."""

    def test_a_block_without_anything_uses_the_environment(self, engine: Any) -> None:
        with DockerHost().get_client() as client:
            assert isinstance(client, docker.DockerClient)
            assert client.ping()

    @pytest.mark.parametrize(
        ("target", "fields"),
        [
            ("docker.from_env", {"timeout": 30}),
            ("docker.DockerClient.from_env", {"client_kwargs": {"use_ssh_client": True}}),
            ("docker.DockerClient", {"base_url": "tcp://10.0.0.7:2375", "max_pool_size": 8}),
        ],
        ids=["from_env", "class method", "class"],
    )
    def test_what_a_test_puts_in_the_place_of_the_sdks_way_makes_the_client(
        self, target: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make = MagicMock()
        monkeypatch.setattr(target, make)
        assert DockerHost(**fields).get_client() is make.return_value
        make.assert_called_once_with(version="auto", **fields.get("client_kwargs", fields))

    def test_the_address_of_a_block_wins_over_the_environment(
        self, docker_engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
        assert open_engine(DockerHost(base_url=docker_engine.socket_url)).ping()

    def test_the_version_is_the_blocks_then_the_environments_then_the_engines(
        self, engine: Any, docker_client: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert open_engine().api.api_version == docker_client.version()["ApiVersion"]
        monkeypatch.setenv("DOCKER_API_VERSION", "1.40")
        assert open_engine().api.api_version == "1.40"
        assert open_engine(DockerHost(version="1.39")).api.api_version == "1.39"

    def test_time_outs_come_from_the_caller_the_block_or_the_environment(
        self, engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert open_engine().api.timeout == 60
        monkeypatch.setenv("DOCKER_CLIENT_TIMEOUT", "120")
        assert open_engine().api.timeout == 120
        assert open_engine(DockerHost(timeout=7)).api.timeout == 7
        assert open_engine(DockerHost(timeout=7), timeout_seconds=0.5).api.timeout == 0.5

    def test_a_time_out_is_kept(self) -> None:
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            host = DockerHost(base_url=f"tcp://127.0.0.1:{deaf.getsockname()[1]}", version="1.40")
            client = connect(host, timeout_seconds=0.2)
            with pytest.raises(DockerTimeout) as caught, docker_errors("Container 'web'"):
                client.containers.get("web")
        assert isinstance(caught.value, TimeoutError)
        assert str(caught.value).startswith("Container 'web': ")
        assert "DOCKER_CLIENT_TIMEOUT" in str(caught.value)

    @pytest.mark.parametrize("value", ["soon", "0", "-1", "inf"])
    def test_a_time_out_that_is_none_is_refused_by_name(self, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_CLIENT_TIMEOUT", value)
        with pytest.raises(DockerInvalidRequest, match="DOCKER_CLIENT_TIMEOUT"):
            open_engine()

    def test_further_arguments_reach_the_client(self, docker_engine: Any) -> None:
        host = DockerHost(base_url=docker_engine.socket_url, max_pool_size=3, client_kwargs={"user_agent": "shop/1"})
        with host.get_client() as client:
            assert client.api.headers["User-Agent"] == "shop/1"

    def test_an_argument_that_the_client_does_not_know_is_refused_by_name(self, docker_engine: Any) -> None:
        with pytest.raises(DockerInvalidRequest, match=r"client_kwargs of the Docker host block.*'usr_agent'"):
            DockerHost(base_url=docker_engine.socket_url, client_kwargs={"usr_agent": "x"}).get_client()

    def test_variables_given_with_a_block_take_the_place_of_the_processs(self, docker_engine: Any) -> None:
        host = DockerHost(client_kwargs={"environment": {"DOCKER_HOST": docker_engine.socket_url}})
        assert open_engine(host).ping()

    def test_equal_questions_share_a_client_from_many_threads(self, engine: Any) -> None:
        clients: list[Any] = []
        threads = [threading.Thread(target=lambda: clients.append(open_engine())) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(clients) == 20
        assert len(set(map(id, clients))) == 1
        assert open_engine(DockerHost(timeout=5)) is not clients[0]

    def test_a_new_login_leads_to_a_new_client(self, engine: Any, docker_config: Path) -> None:
        before = open_engine()
        (docker_config / "config.json").write_text("{}")
        assert open_engine() is not before

    def test_each_client_of_a_block_is_its_own(self, engine: Any) -> None:
        with DockerHost().get_client() as one, DockerHost().get_client() as two:
            assert one is not two


class TestTls:
    """A remote engine is reached by TLS with client certificates, and each mismatch is named."""

    @pytest.fixture
    def environment(self, docker_tls_front: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", docker_tls_front.base_url)
        monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
        monkeypatch.setenv("DOCKER_CERT_PATH", str(docker_tls_front.cert_folder))

    def block(self, front: Any, folder: Path, **tls: Any) -> DockerHost:
        files = {"ca_cert": str(folder / "ca.pem"), "client_cert": [str(folder / "cert.pem"), str(folder / "key.pem")]}
        return DockerHost(base_url=front.base_url, client_kwargs={"tls": {**files, **tls}})

    @pytest.mark.usefixtures("environment")
    def test_the_variables_of_the_command_line_lead_there(self, new_container: Callable[..., Any]) -> None:
        container = new_container(["echo", "hello"])
        client = open_engine()
        client.containers.get(container.id).start()
        assert client.containers.get(container.id).wait()["StatusCode"] == 0
        assert client.containers.get(container.id).logs() == b"hello\n"

    async def test_a_saved_block_leads_there(self, docker_tls_front: Any, prefect_harness: None) -> None:
        await self.block(docker_tls_front, docker_tls_front.cert_folder).save("remote-engine", overwrite=True)
        loaded = await DockerHost.load("remote-engine")
        assert open_engine(loaded).ping()

    def test_the_sdks_own_object_leads_there(self, docker_tls_front: Any) -> None:
        folder = docker_tls_front.cert_folder
        pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
        tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=str(folder / "ca.pem"), verify=True)
        with DockerHost(base_url=docker_tls_front.base_url, client_kwargs={"tls": tls}).get_client() as client:
            assert client.ping()

    def test_a_certificate_of_another_authority_is_not_trusted(self, docker_tls_front: Any) -> None:
        folder = docker_tls_front.cert_folder
        other = str(docker_tls_front.stranger_folder / "ca.pem")
        with pytest.raises(DockerUnavailable) as caught:
            open_engine(self.block(docker_tls_front, folder, ca_cert=other))
        assert "not signed by the authority that this client trusts" in str(caught.value)
        assert docker_tls_front.base_url in str(caught.value)

    def test_a_client_that_the_engine_does_not_know_is_told_so(self, docker_tls_front: Any) -> None:
        stranger = docker_tls_front.stranger_folder
        host = self.block(docker_tls_front, stranger, ca_cert=str(docker_tls_front.cert_folder / "ca.pem"))
        with pytest.raises(DockerUnavailable, match=r"accepts? this client's certificate"):
            open_engine(host)

    def test_tls_without_certificates_of_the_client_is_told_so(self, docker_tls_front: Any) -> None:
        host = self.block(docker_tls_front, docker_tls_front.cert_folder, client_cert=None)
        with pytest.raises(DockerUnavailable, match=r"accepts? this client's certificate"):
            open_engine(host)

    def test_plain_words_to_an_engine_that_speaks_tls_are_told_so(self, docker_tls_front: Any) -> None:
        with pytest.raises(DockerUnavailable, match="DOCKER_TLS_VERIFY"):
            open_engine(DockerHost(base_url=docker_tls_front.base_url))

    def test_tls_to_an_engine_that_does_not_speak_it_is_told_so(self, docker_tls_front: Any, plain_front: Any) -> None:
        with pytest.raises(DockerUnavailable, match="spoken to with TLS and does not speak it"):
            open_engine(self.block(plain_front, docker_tls_front.cert_folder))

    def test_a_file_that_is_missing_is_named(self, docker_tls_front: Any, tmp_path: Path) -> None:
        with pytest.raises(DockerInvalidRequest, match=r"there is no file '.*cert\.pem'"):
            open_engine(self.block(docker_tls_front, tmp_path))

    @pytest.mark.parametrize(
        ("tls", "reason"),
        [({"ca": "x"}, r"\['ca'\]; it may have"), ({"client_cert": "cert.pem"}, "two files, certificate and key")],
    )
    def test_tls_that_is_written_wrongly_is_refused_by_name(self, tls: dict[str, Any], reason: str) -> None:
        with pytest.raises(DockerInvalidRequest, match=rf"client_kwargs\['tls'\].*{reason}"):
            open_engine(DockerHost(base_url="tcp://127.0.0.1:1", client_kwargs={"tls": tls}))


class TestNoEngine:
    """One message names address, origin, cause and remedy."""

    def refusal(self, host: DockerHost | None = None) -> DockerUnavailable:
        with pytest.raises(DockerUnavailable) as caught:
            open_engine(host)
        assert isinstance(caught.value, docker.errors.DockerException | requests.exceptions.ConnectionError)
        assert isinstance(caught.value, ConnectionError)
        return caught.value

    def test_a_socket_that_is_not_there_is_named(self, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{nowhere}/docker.sock")
        said = str(self.refusal())
        assert f"unix://{nowhere}/docker.sock (DOCKER_HOST): there is no such socket." in said

    @pytest.mark.parametrize(
        ("place", "name"),
        [
            ("home/.colima/default/docker.sock", "Colima"),
            ("run/docker.sock", "rootless Docker"),
            ("run/podman/podman.sock", "rootless Podman"),
            ("home/.docker/run/docker.sock", "Docker Desktop"),
        ],
    )
    def test_another_engines_socket_is_the_remedy(
        self, place: str, name: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = nowhere / place
        path.parent.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(path.parent)  # the path of a socket may have 107 characters
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
            monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
            assert f"DOCKER_HOST=unix://{path} ({name})" in str(self.refusal())

    def test_a_socket_that_nobody_listens_on_is_named(self, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(nowhere)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("dead.sock")
        said = str(self.refusal(DockerHost(base_url=f"unix://{nowhere}/dead.sock")))
        assert "(base_url of the Docker host block): nothing listens there." in said

    def test_a_port_that_nobody_listens_on_is_named(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        said = str(self.refusal(DockerHost(base_url=f"tcp://127.0.0.1:{port}")))
        assert f"tcp://127.0.0.1:{port}" in said
        assert "nothing listens there" in said

    def test_a_user_who_may_not_use_the_socket_is_told_how_to(self, docker_engine: Any) -> None:
        path = docker_engine.socket_url.removeprefix("unix://")
        code = (
            "import os, sys\n"
            "from prefect_docker import DockerHost\n"
            "from prefect_docker._engine import open_engine\n"
            "import prefect_docker._client\n"
            "os.setgid(65534); os.setgroups([]); os.setuid(65534)\n"
            "try: open_engine(DockerHost(base_url='unix://' + sys.argv[1]))\n"
            "except Exception as exc: print(type(exc).__name__, exc)\n"
        )
        if os.getuid() != 0:
            pytest.skip("Only root can become another user.")
        argv = [sys.executable, "-c", code, path]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        assert result.stdout.startswith("DockerUnavailable")
        assert "may not use the socket" in result.stdout
        assert "usermod -aG docker" in result.stdout

    def test_an_engine_that_does_not_answer_is_not_waited_for_a_minute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("prefect_docker._engine._ANSWER_SECONDS", 0.2)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            said = str(self.refusal(DockerHost(base_url=f"tcp://127.0.0.1:{listener.getsockname()[1]}")))
        assert "it did not answer in time" in said

    @pytest.mark.parametrize("base_url", ["docker:/var/run", "tcp://", "tcp://host", "fd://"])
    def test_an_address_that_is_none_is_refused_with_the_forms_there_are(self, base_url: str) -> None:
        with pytest.raises(DockerInvalidRequest, match=r"Write unix:///path/to/docker\.sock"):
            open_engine(DockerHost(base_url=base_url))

    def test_a_version_that_the_engine_does_not_speak_is_named(self, engine: Any) -> None:
        with pytest.raises(DockerInvalidRequest, match="version"):
            open_engine(DockerHost(version="1.99"))

    def test_an_engine_with_a_fixed_version_is_looked_for_as_well(
        self, nowhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{nowhere}/docker.sock")
        monkeypatch.setenv("DOCKER_API_VERSION", "1.40")
        assert "there is no such socket" in str(self.refusal())

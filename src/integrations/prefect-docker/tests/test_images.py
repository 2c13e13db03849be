"""Images come from the registry that is meant, with its credentials, and a pull that failed is told as it was."""

from __future__ import annotations

import base64
import http.server
import json
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import docker
import pytest
from prefect import flow

from prefect_docker import DockerHost, DockerRegistryCredentials
from prefect_docker import _pulls as pulls
from prefect_docker._auth import find_auth
from prefect_docker._engine import open_engine
from prefect_docker._images import ensure_image
from prefect_docker._references import parse_image
from prefect_docker.errors import (
    DockerImageNotFound,
    DockerInvalidRequest,
    DockerLoginFailed,
    ImageDigestMismatch,
    ImagePullDenied,
    ImagePullFailed,
    ImagePullNotFound,
)
from prefect_docker.images import pull_docker_image
from prefect_integration_tests.backends.processes import free_port
from prefect_integration_tests.backends.registry import DockerRegistry

pytestmark = pytest.mark.xdist_group("docker")

logger = logging.getLogger("test-images")


@pytest.fixture
def credentials(docker_registry: Any) -> DockerRegistryCredentials:
    """The user's credentials for the registry."""
    return DockerRegistryCredentials(
        username=docker_registry.username, password=docker_registry.password, registry_url=docker_registry.host
    )


@pytest.fixture
def pushed(docker_registry: Any, docker_engine: Any, local_image: Callable[[str], str]) -> str:
    """Name of an image that the registry has and the engine has not."""
    name = local_image(docker_registry.new_name())
    docker_registry.push(docker_engine, name, name)
    return name


@pytest.fixture
def public(docker_engine: Any, local_image: Callable[[str], str]) -> Iterator[tuple[DockerRegistry, str]]:
    """A registry for everybody, and the name of an image that it has and the engine has not."""
    with DockerRegistry.start(login=False) as registry:
        name = local_image(registry.new_name())
        registry.push(docker_engine, name, name)
        yield registry, name


@pytest.fixture
def dead_registry(local_image: Callable[[str], str]) -> str:
    """Name of an image that the engine has and whose registry does not answer."""
    return local_image(f"127.0.0.1:{free_port()}/tests/{uuid.uuid4().hex}:1")


@pytest.fixture
def new_client(engine: Any) -> Any:
    """The client that tasks and workers use."""
    return open_engine()


def ensure(client: Any, image: str, **options: Any) -> Any:
    return ensure_image(client, image, logger=logger, **options)


class TestPolicies:
    def test_an_image_that_is_not_there_is_pulled(self, new_client: Any, pushed: str, credentials: Any) -> None:
        assert ensure(new_client, pushed, policy="IfNotPresent", credentials=credentials).tags == [pushed]

    @pytest.mark.parametrize("policy", ["IfNotPresent", "Never", None])
    def test_an_image_that_is_there_needs_no_registry(self, policy: Any, new_client: Any, dead_registry: str) -> None:
        assert dead_registry in ensure(new_client, dead_registry, policy=policy).tags

    def test_a_pull_that_is_not_needed_asks_the_registry_nothing(
        self, new_client: Any, pushed: str, credentials: Any, docker_registry: Any
    ) -> None:
        ensure(new_client, pushed, credentials=credentials)
        before = len(docker_registry.requests())
        ensure(new_client, pushed, credentials=credentials)
        ensure(new_client, pushed, policy="Never", credentials=credentials)
        assert len(docker_registry.requests()) == before

    def test_always_brings_the_image_that_the_registry_has_now(
        self, new_client: Any, pushed: str, credentials: Any, docker_registry: Any, docker_engine: Any, local_image: Any
    ) -> None:
        old = ensure(new_client, pushed, credentials=credentials)
        newer = new_client.images.get(local_image(f"newer-{uuid.uuid4().hex}:1"))
        docker_registry.push(docker_engine, newer.id, pushed)
        old.tag(pushed.rpartition(":")[0], "1")
        assert ensure(new_client, pushed, credentials=credentials).id == old.id
        assert ensure(new_client, pushed, policy="Always", credentials=credentials).id == newer.id

    def test_always_fails_when_the_registry_does_and_names_it(
        self, new_client: Any, dead_registry: str, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "_clock", fake_clock)
        with pytest.raises(ImagePullFailed) as caught:
            ensure(new_client, dead_registry, policy="Always")
        host = dead_registry.partition("/")[0]
        assert f"Image {dead_registry!r}: pulling it from registry {host!r} with no credentials failed" in str(
            caught.value
        )
        assert "refused" in str(caught.value)
        assert isinstance(caught.value, docker.errors.APIError)

    def test_a_failure_that_may_pass_is_tried_again(
        self, new_client: Any, public: tuple[DockerRegistry, str], fake_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry, name = public
        registry.process.kill()
        monkeypatch.setattr(pulls, "_clock", fake_clock)
        monkeypatch.setattr(fake_clock, "sleep", lambda seconds: registry.process.start())
        assert ensure(new_client, name).tags == [name]

    def test_if_possible_uses_the_local_image_when_the_registry_is_down_and_says_so(
        self, new_client: Any, dead_registry: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING, "test-images"):
            assert dead_registry in ensure(new_client, dead_registry, policy="IfPossible").tags
        assert "IfPossible" in caplog.text
        assert "refused" in caplog.text

    def test_if_possible_fails_without_a_local_image(
        self, new_client: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "_clock", fake_clock)
        with pytest.raises(ImagePullFailed, match="refused"):
            ensure(new_client, f"127.0.0.1:{free_port()}/absent:1", policy="IfPossible")

    def test_never_does_not_pull(self, new_client: Any, pushed: str, docker_registry: Any) -> None:
        before = len(docker_registry.requests())
        with pytest.raises(DockerImageNotFound, match="image_pull_policy is 'Never'") as caught:
            ensure(new_client, pushed, policy="Never")
        assert isinstance(caught.value, docker.errors.ImageNotFound)
        assert len(docker_registry.requests()) == before

    @pytest.mark.parametrize("tag", ["", ":latest"])
    def test_an_image_that_was_made_here_is_used_as_it_is(
        self, tag: str, new_client: Any, public: tuple[DockerRegistry, str]
    ) -> None:
        registry, elsewhere = public
        ensure(new_client, elsewhere)  # another name of the same image does come from a registry
        name = f"{registry.host}/made-here-{uuid.uuid4().hex}"
        new_client.images.get(elsewhere).tag(name, "latest")
        try:
            before = len(registry.requests())
            assert f"{name}:latest" in ensure(new_client, f"{name}{tag}").tags
            assert len(registry.requests()) == before
        finally:
            new_client.images.remove(f"{name}:latest")

    def test_latest_is_looked_for_in_the_registry_each_time(
        self, new_client: Any, docker_registry: Any, docker_engine: Any, local_image: Any, credentials: Any
    ) -> None:
        name = local_image(docker_registry.new_name("latest"))
        docker_registry.push(docker_engine, name, name)
        ensure(new_client, name, credentials=credentials)
        before = len(docker_registry.requests())
        ensure(new_client, name.removesuffix(":latest"), credentials=credentials)
        assert len(docker_registry.requests()) > before

    def test_many_who_need_an_image_pull_it_once(
        self, new_client: Any, pushed: str, credentials: Any, docker_registry: Any
    ) -> None:
        path = pushed.partition("/")[2].rpartition(":")[0]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: ensure(new_client, pushed, credentials=credentials).id, range(8)))
        assert len(set(found)) == 1
        manifests = [line for line in docker_registry.requests() if f"{path}/manifests/1" in line and "GET" in line]
        assert len(manifests) <= 2  # one pull asks once by tag, and the first time without its login

    def test_an_image_for_another_platform_is_not_the_one(self, new_client: Any, busybox_image: str) -> None:
        with pytest.raises(DockerImageNotFound):
            ensure(new_client, busybox_image, policy="Never", platform="linux/s390x")
        architecture = new_client.images.get(busybox_image).attrs["Architecture"]
        assert ensure(new_client, busybox_image, policy="Never", platform=f"linux/{architecture}")

    def test_the_id_of_an_image_is_never_pulled(self, new_client: Any, busybox_image: str) -> None:
        image_id = new_client.images.get(busybox_image).id
        assert ensure(new_client, image_id, policy="Always").id == image_id
        with pytest.raises(DockerImageNotFound, match="no registry knows IDs"):
            ensure(new_client, "sha256:" + "0" * 64)

    def test_a_policy_that_is_none_is_refused_by_name(self, new_client: Any) -> None:
        with pytest.raises(DockerInvalidRequest, match="image_pull_policy is 'Sometimes'"):
            ensure(new_client, "busybox", policy="Sometimes")


class _LyingRegistry(http.server.BaseHTTPRequestHandler):
    """Answers each question for a manifest with another one than was asked for, or breaks off in the middle."""

    def do_GET(self) -> None:
        layer = {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": 32,
            "digest": "sha256:" + "1" * 64,
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": 2,
                "digest": "sha256:" + "2" * 64,
            },
            "layers": [layer],
        }
        body = json.dumps(manifest).encode() if "/manifests/" in self.path else b"{}"
        is_absent = "/blobs/" in self.path
        self.send_response(404 if is_absent else 200)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header(
            "Content-Type", str(manifest["mediaType"]) if "/manifests/" in self.path else "application/json"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def lying_registry() -> Iterator[str]:
    """Host of a registry that does not send what was asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _LyingRegistry)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class TestFailures:
    """The engine's own message is what is told."""

    def test_an_image_that_the_registry_has_not_is_not_found(
        self, new_client: Any, docker_registry: Any, credentials: Any
    ) -> None:
        name = docker_registry.new_name()
        with pytest.raises(ImagePullNotFound) as caught:
            ensure(new_client, name, credentials=credentials)
        assert "manifest" in str(caught.value)
        assert "credentials block of 'testing'" in str(caught.value)
        assert isinstance(caught.value, LookupError)

    def test_without_credentials_it_is_denied_and_the_remedy_named(self, new_client: Any, pushed: str) -> None:
        with pytest.raises(ImagePullDenied) as caught:
            ensure(new_client, pushed)
        host = pushed.partition("/")[0]
        assert f"Give a DockerRegistryCredentials block whose registry_url is '{host}'" in str(caught.value)

    def test_a_wrong_password_is_denied_and_not_shown(
        self, new_client: Any, pushed: str, canary: str, no_canary_leaks: Any
    ) -> None:
        wrong = DockerRegistryCredentials(username="testing", password=canary, registry_url=pushed.partition("/")[0])
        with pytest.raises(ImagePullDenied) as caught:
            ensure(new_client, pushed, credentials=wrong)
        no_canary_leaks.add_error(caught.value)
        assert "Check that these credentials are valid" in str(caught.value)

    def test_a_failure_after_the_first_bytes_is_no_success(
        self, new_client: Any, lying_registry: str, local_image: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "_clock", fake_clock)
        name = local_image(f"{lying_registry}/tests/old:1")
        with pytest.raises(ImagePullFailed) as caught:
            ensure(new_client, name, policy="Always")
        assert "unknown blob" in str(caught.value) or "not found" in str(caught.value)

    def test_another_image_than_that_of_the_digest_is_refused(self, new_client: Any, lying_registry: str) -> None:
        with pytest.raises(ImageDigestMismatch, match="sha256:" + "3" * 64):
            ensure(new_client, f"{lying_registry}/tests/app@sha256:{'3' * 64}")

    def test_an_image_is_pulled_by_its_digest(
        self, new_client: Any, docker_registry: Any, docker_engine: Any, local_image: Any, credentials: Any
    ) -> None:
        name = local_image(docker_registry.new_name())
        digest = docker_registry.push(docker_engine, name, name)
        repository = name.rpartition(":")[0]
        image = ensure(new_client, f"{repository}@{digest}", credentials=credentials)
        assert f"{repository}@{digest}" in image.attrs["RepoDigests"]
        before = len(docker_registry.requests())
        assert ensure(new_client, f"{repository}@{digest}").id == image.id
        assert len(docker_registry.requests()) == before
        new_client.images.remove(f"{repository}@{digest}")

    def test_the_image_that_was_pulled_is_got_when_its_name_has_moved(
        self, new_client: Any, docker_registry: Any, docker_engine: Any, local_image: Any, credentials: Any
    ) -> None:
        name = local_image(docker_registry.new_name())
        first = docker_registry.push(docker_engine, name, name)
        old = ensure(new_client, name, credentials=credentials)
        docker_registry.push(docker_engine, local_image(name), name)
        ensure(new_client, name, policy="Always", credentials=credentials)
        assert pulls.pulled_image(new_client, parse_image(name), first).id == old.id
        new_client.images.remove(old.id, force=True)

    def test_another_image_than_the_one_that_was_sent_is_refused(self, new_client: Any, dead_registry: str) -> None:
        with pytest.raises(ImageDigestMismatch, match=r"the registry sent sha256:44.*under this name"):
            pulls.pulled_image(new_client, parse_image(dead_registry), "sha256:" + "4" * 64)

    def test_a_name_without_a_registry_is_told_to_mean_docker_hub(
        self, new_client: Any, fake_clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pulls, "_clock", fake_clock)
        with pytest.raises(ImagePullFailed, match=r"from registry 'docker\.io' with no credentials"):
            ensure(new_client, f"only-here-{uuid.uuid4().hex}:1")


def auth(image: str, *blocks: DockerRegistryCredentials) -> Any:
    return find_auth(parse_image(image), list(blocks))


def block(registry_url: str, username: str = "bob") -> DockerRegistryCredentials:
    return DockerRegistryCredentials(username=username, password="secret", registry_url=registry_url)


class TestCredentialsByRegistry:
    """Each registry gets its own credentials and no other's."""

    @pytest.mark.parametrize(
        ("image", "registry_url"),
        [
            ("ubuntu", "docker.io"),
            ("shop/app", "https://index.docker.io/v1/"),
            ("docker.io/shop/app", "registry-1.docker.io"),
            ("index.docker.io/shop/app", "hub.docker.com"),
            ("ghcr.io/shop/app:1", "https://ghcr.io"),
            ("localhost:5000/app", "localhost:5000"),
            ("us-docker.pkg.dev/shop/images/app", "us-docker.pkg.dev/shop/images"),
            ("registry.gitlab.com/shop/app", "https://registry.gitlab.com/v2/"),
        ],
    )
    def test_credentials_of_the_images_registry_are_used(self, image: str, registry_url: str) -> None:
        assert auth(image, block(registry_url)).config["username"] == "bob"

    @pytest.mark.parametrize(
        ("image", "registry_url"),
        [
            ("ubuntu", "ghcr.io"),
            ("ghcr.io/shop/app", "docker.io"),
            ("registry.example.com/app", "example.com"),
            ("registry.example.com:5000/app", "registry.example.com"),
            ("us-docker.pkg.dev/other/app", "us-docker.pkg.dev/shop"),
            ("us-docker.pkg.dev/shopping/app", "us-docker.pkg.dev/shop"),
        ],
    )
    def test_credentials_of_another_registry_stay_here(self, image: str, registry_url: str) -> None:
        found = auth(image, block(registry_url))
        assert found.is_anonymous
        assert registry_url in found.source

    def test_of_several_the_one_that_fits_best_is_used(self) -> None:
        blocks = [block("ghcr.io", "all"), block("ghcr.io/shop", "shop"), block("docker.io", "hub")]
        assert auth("ghcr.io/shop/app", *blocks).config["username"] == "shop"
        assert auth("ghcr.io/other/app", *blocks).config["username"] == "all"
        assert auth("ubuntu", *blocks).config["username"] == "hub"

    def test_secrets_stay_out_of_its_text(self) -> None:
        assert "secret" not in repr(auth("ubuntu", block("docker.io")))

    def test_a_login_of_the_command_line_is_used(
        self, new_client: Any, pushed: str, docker_registry: Any, docker_config: Path
    ) -> None:
        pair = base64.b64encode(f"{docker_registry.username}:{docker_registry.password}".encode()).decode()
        (docker_config / "config.json").write_text(json.dumps({"auths": {docker_registry.host: {"auth": pair}}}))
        assert ensure(new_client, pushed).tags == [pushed]

    def test_a_credential_helper_is_asked_each_time(
        self, new_client: Any, pushed: str, docker_registry: Any, docker_config: Path, monkeypatch: Any, tmp_path: Path
    ) -> None:
        answer = json.dumps({"Username": docker_registry.username, "Secret": docker_registry.password})
        program = tmp_path / "docker-credential-shop"
        program.write_text(f"#!/bin/sh\ncat >> {tmp_path}/asked; echo >> {tmp_path}/asked; echo '{answer}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        (docker_config / "config.json").write_text(json.dumps({"credHelpers": {docker_registry.host: "shop"}}))
        for _ in range(2):
            assert ensure(new_client, pushed, policy="Always").tags == [pushed]
        assert (tmp_path / "asked").read_text().split() == [docker_registry.host] * 2

    def test_a_helpers_identity_token_is_sent_as_one(
        self, docker_config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        program = tmp_path / "docker-credential-acr"
        program.write_text("""#!/bin/sh\necho '{"Username": "<token>", "Secret": "fresh"}'\n""")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        (docker_config / "config.json").write_text(json.dumps({"credsStore": "acr"}))
        found = auth("shop.azurecr.io/app")
        assert found.config["IdentityToken"] == "fresh"
        assert found.secrets() == ["fresh"]
        assert found.source == "a token from the credential helper 'acr'"

    @pytest.mark.filterwarnings("ignore:docker-credential-absent")
    def test_a_helper_that_is_not_installed_is_named_in_the_failure(
        self, new_client: Any, pushed: str, docker_config: Path
    ) -> None:
        (docker_config / "config.json").write_text(json.dumps({"credsStore": "absent"}))
        with pytest.raises(ImagePullDenied, match=r"the credential helper 'absent' failed: .*docker-credential-absent"):
            ensure(new_client, pushed)

    @pytest.mark.filterwarnings("ignore:docker-credential-absent")
    def test_a_helper_that_is_not_installed_does_not_keep_public_images_away(
        self, new_client: Any, public: tuple[DockerRegistry, str], docker_config: Path
    ) -> None:
        (docker_config / "config.json").write_text(json.dumps({"credsStore": "absent"}))
        assert ensure(new_client, public[1]).tags == [public[1]]


class TestLogin:
    async def test_a_client_that_is_logged_in_can_pull(self, engine: Any, pushed: str, credentials: Any) -> None:
        with DockerHost().get_client() as client:
            await credentials.login(client)
            assert client.images.pull(pushed).tags == [pushed]

    async def test_a_wrong_password_is_told_and_not_shown(
        self, engine: Any, docker_registry: Any, canary: str, no_canary_leaks: Any
    ) -> None:
        wrong = DockerRegistryCredentials(username="testing", password=canary, registry_url=docker_registry.host)
        with DockerHost().get_client() as client, pytest.raises(DockerLoginFailed) as caught:
            await wrong.login(client)
        no_canary_leaks.add_error(caught.value)
        assert f"Login to registry '{docker_registry.host}' as 'testing'" in str(caught.value)
        assert isinstance(caught.value, docker.errors.APIError)

    @pytest.mark.parametrize("reauth", [True, False])
    async def test_reauth_says_whether_the_registry_is_asked_again(
        self, reauth: bool, engine: Any, docker_registry: Any
    ) -> None:
        credentials = DockerRegistryCredentials(
            username="testing", password=docker_registry.password, registry_url=docker_registry.host, reauth=reauth
        )
        with DockerHost().get_client() as client:
            await credentials.login(client)
            before = len(docker_registry.requests())
            await credentials.login(client)
        assert (len(docker_registry.requests()) > before) is reauth


class TestPullTask:
    async def test_an_image_is_pulled_in_an_async_flow(
        self, engine: Any, pushed: str, credentials: Any, prefect_harness: None
    ) -> None:
        @flow
        async def pull() -> str:
            repository, _, tag = pushed.rpartition(":")
            image = await pull_docker_image(repository, tag, docker_registry_credentials=credentials)
            return image.tags[0]

        assert await pull() == pushed

    def test_an_image_is_pulled_in_a_sync_flow(
        self, engine: Any, pushed: str, credentials: Any, prefect_harness: None
    ) -> None:
        @flow
        def pull() -> str:
            return pull_docker_image(pushed, docker_registry_credentials=credentials).tags[0]

        assert pull() == pushed

    async def test_all_tags_are_pulled(
        self, engine: Any, docker_registry: Any, docker_engine: Any, pushed: str, credentials: Any, local_image: Any
    ) -> None:
        repository = pushed.rpartition(":")[0]
        docker_registry.push(docker_engine, local_image(f"{repository}:2"), f"{repository}:2")
        images = await pull_docker_image.fn(
            repository, "ignored", all_tags=True, docker_registry_credentials=credentials
        )
        assert isinstance(images, list)
        assert {tag for image in images for tag in image.tags} >= {f"{repository}:1", f"{repository}:2"}

    async def test_credentials_as_the_sdk_takes_them_are_used(
        self, engine: Any, pushed: str, docker_registry: Any
    ) -> None:
        image = await pull_docker_image.fn(pushed, auth_config=docker_registry.auth_config)
        assert image.tags == [pushed]

    async def test_an_argument_that_pull_does_not_take_is_refused_by_name(self, engine: Any) -> None:
        with pytest.raises(DockerInvalidRequest, match="unknown argument plattform"):
            await pull_docker_image.fn("busybox", plattform="linux/arm64")


@pytest.mark.parametrize("all_tags", [False, True], ids=["one", "all-tags"])
async def test_a_client_of_the_callers_own_pulls_by_its_own_method(all_tags: bool) -> None:
    client = MagicMock()
    client.__enter__.return_value = client
    pulled = await pull_docker_image.fn(
        "shop/orders",
        tag="dev",
        platform="linux/amd64",
        all_tags=all_tags,
        docker_host=MagicMock(spec=DockerHost, **{"get_client.return_value": client}),
        docker_registry_credentials=DockerRegistryCredentials(username="ann", password="pw", registry_url="docker.io"),
    )
    assert pulled is client.images.pull.return_value
    client.images.pull.assert_called_once_with(
        repository="shop/orders", tag="dev", platform="linux/amd64", all_tags=all_tags
    )
    client.login.assert_called_once_with(username="ann", password="pw", registry="docker.io", reauth=True)


def test_a_method_of_the_sdk_that_is_patched_pulls_in_sync_flows_too(
    prefect_harness: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, calls = object(), list[dict[str, Any]]()
    monkeypatch.setattr(
        docker.models.images.ImageCollection, "pull", lambda self, **options: calls.append(options) or image
    )
    client = MagicMock()
    client.images = docker.models.images.ImageCollection(client=client)

    @flow
    def pulls_by_a_patched_method() -> bool:
        host = MagicMock(spec=DockerHost, **{"get_client.return_value": client})
        client.__enter__.return_value = client
        credentials = DockerRegistryCredentials(username="ann", password="pw", registry_url="docker.io")
        pulled: Any = pull_docker_image("alpine", docker_host=host, docker_registry_credentials=credentials)
        return pulled is image

    assert pulls_by_a_patched_method()
    assert calls == [{"repository": "alpine", "tag": None, "platform": None, "all_tags": False}]

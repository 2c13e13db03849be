"""The guide runs as it stands, and the messages that it shows are those that are printed."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from prefect_bitbucket import BitBucketCredentials, BitBucketRepository
from prefect_integration_tests.backends.bitbucket_api import BitBucketApi
from prefect_integration_tests.backends.git_server import GitServer
from prefect_integration_tests.suites import GuideSuite


class TestGuide(GuideSuite):
    distribution = "prefect-bitbucket"

    @pytest.fixture
    def surroundings(
        self, page_folder: Path, bitbucket_api: BitBucketApi, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[], object]:
        """A Bitbucket with the shop's code, and a reader who answers what he is asked."""
        bitbucket_api.secret("ATCTT-shop", "access")
        bitbucket_api.secret("BBDC-shop", "http")
        bitbucket_api.repositories["SHOP"] = ["etl"]
        git_server.require(*bitbucket_api.git_authorizations())
        remote = git_server.repository("shop/etl.git")
        remote.tag("v1.2.0", remote.commit({"flows/report.py": b"", "README.md": b""}))
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": "ATCTT-shop")
        cloud = BitBucketCredentials(token="ATCTT-shop")
        own = BitBucketCredentials(token="BBDC-shop", username="ada", url=bitbucket_api.endpoint)
        repository = BitBucketRepository(
            repository=git_server.url(remote), reference="v1.2.0", bitbucket_credentials=cloud
        )

        def restore() -> None:
            cloud.save("shop-bitbucket", overwrite=True)
            own.save("own-bitbucket", overwrite=True)
            repository.save("shop-code", overwrite=True)

        return restore

    @pytest.fixture
    def provocations(self, git_server: GitServer, tmp_path: Path) -> Mapping[str, Callable[[], object]]:
        git_server.repository("shop/etl.git").commit({"flow.py": b""})

        def pull(reference: str | None = None, **fields: Any) -> object:
            if fields:
                git_server.require("Basic other")
            credentials = BitBucketCredentials(**fields) if fields else None
            block = BitBucketRepository(
                repository=git_server.url("shop/etl.git"), reference=reference, bitbucket_credentials=credentials
            )
            return block.get_directory(local_path=str(tmp_path))

        def write(url: str, **fields: Any) -> str:
            return BitBucketCredentials(**fields).format_git_credentials(url)

        return {
            "The token is refused": lambda: pull(token="ATATT-wrong"),
            "An app password is refused": lambda: write(
                "https://bitbucket.org/shop/etl.git", username="ada", password="ATBB1"
            ),
            "A user name is missing": lambda: write("https://bitbucket.corp/scm/shop/etl.git", token="BBDC-1"),
            "An e-mail address is missing": lambda: BitBucketCredentials(token="ATATT1").get_client("cloud"),
            "The branch does not exist": lambda: pull("gone"),
        }

"""What holds for every integration, shown for this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect_docker import DockerHost, DockerRegistryCredentials
from prefect_docker._worker.wire import WireError
from prefect_integration_tests.suites import BlockSuite, InterfaceSuite, PackageSuite

if TYPE_CHECKING:
    from collections.abc import Callable

    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_docker"
    # Published as a coroutine function alone, which callers await.
    one_face = frozenset({"prefect_docker.credentials.DockerRegistryCredentials.login"})

    def make_error(self, cls: type[Exception]) -> Exception:
        return WireError(404, "no such container") if cls is WireError else super().make_error(cls)


class TestInterface(InterfaceSuite):
    package = "prefect_docker"


class TestBlocks(BlockSuite):
    package = "prefect_docker"

    def make(self, cls: type[Block], canary: str) -> Block:
        makers: dict[type[Block], Callable[[], Block]] = {
            DockerHost: lambda: DockerHost(base_url="unix:///var/run/docker.sock", timeout=30),
            DockerRegistryCredentials: lambda: DockerRegistryCredentials(
                username="shop", password=canary, registry_url="registry.example.com"
            ),
        }
        return makers[cls]()

"""boto3 sessions that share what botocore reads from its own files.

Each session reads and parses the descriptions of the services that it makes clients of, which takes 60 to 200 ms for a
service. They are the same for all sessions, so they are read once for a process.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import boto3.session

_read: dict[tuple[Any, ...], Any] = {}


@cache
def _loader_class() -> type[Any]:
    from botocore.loaders import Loader

    class SharingLoader(Loader):
        """A loader whose answers are those of the first loader that was asked the same."""

        def _shared(self, name: str, *asked: Any) -> Any:
            key = (name, tuple(cast("list[str]", self.search_paths)), *asked)
            if key not in _read:
                _read[key] = getattr(super(), name)(*asked)
            return _read[key]

        def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
            return self._shared("load_service_model", service_name, type_name, api_version)

        def load_data_with_path(self, name: str) -> Any:
            return self._shared("load_data_with_path", name)

        def list_api_versions(self, service_name: str, type_name: str) -> Any:
            return self._shared("list_api_versions", service_name, type_name)

        def list_available_services(self, type_name: str) -> Any:
            return self._shared("list_available_services", type_name)

    return SharingLoader


def open_session(*, inner: Any = None, profile_name: str | None = None, **arguments: Any) -> boto3.session.Session:
    """Open a session.

    Args:
        inner: A botocore session to build on; a new one when not given.
        profile_name: Profile of the AWS configuration files.
        arguments: Further arguments of `boto3.session.Session`.

    Raises:
        botocore.exceptions.ProfileNotFound: If there is no such profile.
    """
    import boto3
    import botocore.session
    from botocore import loaders

    if inner is None:
        inner = botocore.session.Session()
    if profile_name:
        inner.set_config_variable("profile", profile_name)
    ordinary: Any = loaders.create_loader(inner.get_config_variable("data_path"))
    loader = _loader_class()(list(ordinary.search_paths), include_default_search_paths=False)
    inner.register_component("data_loader", loader)
    return boto3.Session(botocore_session=inner, profile_name=profile_name, **arguments)

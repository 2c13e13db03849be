"""What a check asks of a project beside its jobs: APIs, permissions, accounts, networks, images, secrets.

Each service holds what a test has put there, and nothing else. `server.shared(Preflight)` adds them to a server: the
documents are large, and few tests need them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import Json, not_found
from .service import ApiRequest, Service, answers

if TYPE_CHECKING:
    from .rest_server import RestServer


class _Things(Service):
    """Things by full name."""

    def __init__(self, server: RestServer) -> None:
        """Start with none."""
        super().__init__(server)
        self.things: dict[str, Json] = {}
        self.denied: set[str] = set()
        """Permissions that nobody has."""

    def reset(self) -> None:
        """Forget all."""
        self.things.clear()
        self.denied.clear()

    def add(self, name: str, **fields: object) -> None:
        """Add a thing.

        Args:
            name: Its full name.
            fields: As in the API, besides the name.
        """
        with self.server.changed:
            self.things[name] = {"name": name, **fields}

    def find(self, name: str) -> Json:
        """Find a thing.

        Raises:
            ApiError: 404.
        """
        if name not in self.things:
            raise not_found(f"Resource '{name}' was not found")
        return self.things[name]

    def test(self, request: ApiRequest) -> Json:
        """Answer `testIamPermissions`."""
        wanted: list[str] = request.body.get("permissions") or []
        return {"permissions": [each for each in wanted if each not in self.denied]}


class Projects(_Things):
    """Resource Manager: `projects/p`."""

    api, version = "cloudresourcemanager", "v3"

    @answers("cloudresourcemanager.projects.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a project."""
        return self.find(request.name)

    @answers("cloudresourcemanager.projects.testIamPermissions")
    def test_permissions(self, request: ApiRequest) -> Json:
        """Say which permissions the caller has."""
        self.find(request.params["resource"])
        return self.test(request)


class Apis(_Things):
    """Service Usage: `projects/p/services/run.googleapis.com`."""

    api, version = "serviceusage", "v1"

    @answers("serviceusage.services.get")
    def get(self, request: ApiRequest) -> Json:
        """Give an API of a project."""
        return self.find(request.name)


class Accounts(_Things):
    """IAM: `projects/-/serviceAccounts/email`."""

    api, version = "iam", "v1"

    @answers("iam.projects.serviceAccounts.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a service account."""
        return self.find(request.name)

    @answers("iam.projects.serviceAccounts.testIamPermissions")
    def test_permissions(self, request: ApiRequest) -> Json:
        """Say which permissions the caller has on a service account."""
        self.find(request.params["resource"])
        return self.test(request)


class Connectors(_Things):
    """Serverless VPC Access: `projects/p/locations/l/connectors/c`."""

    api, version = "vpcaccess", "v1"

    @answers("vpcaccess.projects.locations.connectors.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a connector."""
        return self.find(request.name)


class Networks(_Things):
    """Compute Engine: names of networks, and of subnetworks as `region/name`."""

    api, version = "compute", "v1"

    @answers("compute.networks.get")
    def get_network(self, request: ApiRequest) -> Json:
        """Give a network."""
        return self.find(request.params["network"])

    @answers("compute.subnetworks.get")
    def get_subnetwork(self, request: ApiRequest) -> Json:
        """Give a subnetwork."""
        return self.find(f"{request.params['region']}/{request.params['subnetwork']}")


class Images(_Things):
    """Artifact Registry: full names of tags and versions."""

    api, version = "artifactregistry", "v1"

    @answers("artifactregistry.projects.locations.repositories.packages.tags.get")
    def get_tag(self, request: ApiRequest) -> Json:
        """Give a tag."""
        return self.find(request.name)

    @answers("artifactregistry.projects.locations.repositories.packages.versions.get")
    def get_version(self, request: ApiRequest) -> Json:
        """Give a version."""
        return self.find(request.name)


class SecretVersions(_Things):
    """Secret Manager: full names of versions."""

    api, version = "secretmanager", "v1"

    @answers("secretmanager.projects.secrets.versions.get")
    def get(self, request: ApiRequest) -> Json:
        """Give a version, without its value."""
        return self.find(request.name)


class Preflight:
    """All of these services."""

    def __init__(self, server: RestServer) -> None:
        """Add them to a server.

        Args:
            server: The server.
        """
        self.projects = server.add(Projects)
        self.apis = server.add(Apis)
        self.accounts = server.add(Accounts)
        self.connectors = server.add(Connectors)
        self.networks = server.add(Networks)
        self.images = server.add(Images)
        self.secrets = server.add(SecretVersions)

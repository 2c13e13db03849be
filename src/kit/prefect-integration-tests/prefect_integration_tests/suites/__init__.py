"""The conformance suites: one class for each kind of thing that an integration publishes."""

from .base import Suite
from .block import BlockSuite
from .credentials import CredentialsSuite
from .database import DatabaseSuite
from .extras import ExtrasSuite
from .filesystem import FileSystemSuite
from .folder import FolderSuite
from .git_credentials import GitCredentialsSuite
from .git_deployments import GitDeploymentSuite
from .git_repository import GitIntegrationSuite, GitRepositorySuite
from .guide import GuideSuite
from .http_faults import HttpFaultSuite
from .interface import InterfaceSuite
from .job import JobSuite
from .object_store import ObjectStoreSuite
from .package import PackageSuite
from .secret import SecretSuite
from .step import StepSuite
from .store import RawStore
from .worker_secrets import WorkerSecretsSuite

__all__ = [
    "BlockSuite",
    "CredentialsSuite",
    "DatabaseSuite",
    "ExtrasSuite",
    "FileSystemSuite",
    "FolderSuite",
    "GitCredentialsSuite",
    "GitDeploymentSuite",
    "GitIntegrationSuite",
    "GitRepositorySuite",
    "GuideSuite",
    "HttpFaultSuite",
    "InterfaceSuite",
    "JobSuite",
    "ObjectStoreSuite",
    "PackageSuite",
    "RawStore",
    "SecretSuite",
    "StepSuite",
    "Suite",
    "WorkerSecretsSuite",
]

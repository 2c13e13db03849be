"""The conformance suites: one class for each kind of thing that an integration publishes."""

from .base import Suite
from .block import BlockSuite
from .bundle import BundleSuite
from .bundle_steps import RawBundles
from .bundled_flow import BundledFlowSuite, PlayedInfrastructure
from .credentials import CredentialsSuite
from .database import DatabaseSuite
from .decorator import DecoratorSuite
from .deployed_flows import DeployedFlowsBase, DeployedFlowsSuite
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
from .job_worker import JobWorkerSuite
from .left_behind import LeftBehindSuite
from .object_store import ObjectStoreSuite
from .package import PackageSuite
from .played_jobs import PlayedJobsBase
from .pool_check import PoolCheckSuite
from .secret import SecretSuite
from .step import StepSuite
from .store import RawStore
from .task_runner import RemoteTaskRunnerSuite, TaskRunnerSuite
from .worker_secrets import WorkerSecretsSuite

__all__ = [
    "BlockSuite",
    "BundleSuite",
    "BundledFlowSuite",
    "CredentialsSuite",
    "DatabaseSuite",
    "DecoratorSuite",
    "DeployedFlowsBase",
    "DeployedFlowsSuite",
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
    "JobWorkerSuite",
    "LeftBehindSuite",
    "ObjectStoreSuite",
    "PackageSuite",
    "PlayedInfrastructure",
    "PlayedJobsBase",
    "PoolCheckSuite",
    "RawBundles",
    "RawStore",
    "RemoteTaskRunnerSuite",
    "SecretSuite",
    "StepSuite",
    "Suite",
    "TaskRunnerSuite",
    "WorkerSecretsSuite",
]

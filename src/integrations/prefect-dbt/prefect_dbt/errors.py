"""What can go wrong with dbt Core, as Python exceptions.

    DbtError (ValueError, RuntimeError)
    ├── DbtRunFailed                    dbt ran, and nodes failed
    ├── DbtInvocationFailed             dbt could not do its work
    │   ├── DbtUsageError               no such command, option or selector
    │   ├── DbtProjectError             the project is missing or not valid
    │   │   └── DbtCompilationError     a model, macro or test does not compile
    │   ├── DbtProfileError             the profile is missing or not valid
    │   │   └── DbtAdapterMissing (ImportError)
    │   └── DbtDatabaseUnreachable (ConnectionError)
    ├── DbtStateError                   artifacts of an earlier run are missing or of no use
    │   └── DbtManifestError            a manifest that this version cannot read
    ├── DbtCancelled                    the run was cancelled before dbt ended
    ├── DbtTimeout (TimeoutError)
    └── DbtProcessDied                  dbt's process ended without a result

They are `ValueError`s and `RuntimeError`s, which is what code written for earlier releases catches, and an error that
stands for an exception of dbt is also of that class. dbt Cloud has its own tree in `prefect_dbt.cloud.exceptions`.
`error_of` is the only place where dbt's own exceptions are translated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from prefect_integration_kit.sdk_errors import TranslatedError


class DbtError(TranslatedError, ValueError, RuntimeError):
    """Work with dbt Core failed."""


class DbtRunFailed(DbtError):
    """dbt ran, and some of its nodes failed.

    Attributes:
        node_ids: The unique ids of the nodes that failed.
    """

    def __init__(self, message: str, *, node_ids: Sequence[str] = ()) -> None:
        """Name what failed.

        Args:
            message: The command, and each failed node with its message.
            node_ids: The unique ids of the nodes that failed.
        """
        super().__init__(message)
        self.node_ids = tuple(node_ids)


class DbtInvocationFailed(DbtError):
    """dbt stopped with an error of its own, before or beside the work on nodes."""


class DbtUsageError(DbtInvocationFailed):
    """dbt has no such command, option or selector."""


class DbtProjectError(DbtInvocationFailed):
    """The dbt project is missing, incomplete or not valid."""


class DbtCompilationError(DbtProjectError):
    """A model, macro or test of the project does not compile."""


class DbtProfileError(DbtInvocationFailed):
    """The profile or its target is missing or not valid."""


class DbtAdapterMissing(DbtProfileError, ImportError):
    """The adapter for the database of the profile is not installed."""


class DbtDatabaseUnreachable(DbtInvocationFailed, ConnectionError):
    """The database of the target does not answer, or refuses the connection."""


class DbtStateError(DbtError):
    """Artifacts of an earlier run are missing, incomplete or cannot be stored."""


class DbtManifestError(DbtStateError):
    """A manifest is damaged, or of a version of dbt that cannot be read."""


class DbtCancelled(DbtError):
    """The run was cancelled before dbt ended."""


class DbtTimeout(DbtError, TimeoutError):
    """dbt did not end in time; it was cancelled."""


class DbtProcessDied(DbtError):
    """dbt's process ended without a result, by a signal or for want of memory."""


@dataclass(frozen=True)
class _Rule:
    """What a message of dbt's means: where the pattern is found, the class, and what to do about it."""

    pattern: str
    cls: type[DbtError]
    remedy: str = ""


# dbt's classes say less than its messages: a missing profile is its `DbtProjectError`, broken YAML a
# `DbtValidationError`. The first rule that fits counts.
_RULES = (
    _Rule(
        r"Could not find adapter type (?P<adapter>[\w-]+)!|No module named '?dbt\.adapters\.(?P<module>\w+)",
        DbtAdapterMissing,
        "Install it beside prefect-dbt: pip install dbt-{adapter}.",
    ),
    _Rule(
        r"Could not find profile named",
        DbtProfileError,
        "Set `profiles_dir` to the folder of a profiles.yml that has this profile, or correct `profile` in "
        "dbt_project.yml.",
    ),
    _Rule(r"does not have a target named", DbtProfileError, "Correct `target`."),
    _Rule(r"trying to read your profiles\.yml", DbtProfileError, "Correct the YAML of profiles.yml."),
    _Rule(
        r"^Path '.*[/\\]\.dbt' does not exist",  # dbt's default, which it insists on whatever the command needs
        DbtProfileError,
        "Set `profiles_dir` to the folder that holds profiles.yml.",
    ),
    _Rule(
        r"No dbt_project\.yml found|^Path '.*' does not exist",
        DbtProjectError,
        "Set `project_dir` to the folder that holds dbt_project.yml.",
    ),
    _Rule(r"Error reading \S+: ", DbtProjectError, "Correct the YAML of this file."),
    _Rule(r"Syntax error near line", DbtProjectError, "Correct the YAML of dbt_project.yml."),
    _Rule(
        r"Env var required but not provided",
        DbtInvocationFailed,
        "Set the environment variable, or give env_var() a default.",
    ),
    _Rule(
        r"Expected a schema version of|Could not read WritableManifest",
        DbtManifestError,
        "Write the manifest again with this version of dbt: `dbt parse`, or any run.",
    ),
    _Rule(
        r"no comparison manifest|required for deferral",
        DbtStateError,
        "Name a folder with the manifest.json of an earlier run as `--state`.",
    ),
    _Rule(
        r"Could not find previous run",
        DbtStateError,
        "`dbt retry` needs the run_results.json of an earlier run in `target_path`.",
    ),
    _Rule(r"Could not find selector named", DbtUsageError, "Correct the selector, or define it in selectors.yml."),
    _Rule(
        r"(?s)External connection exception occurred.*CERTIFICATE_VERIFY_FAILED",  # of `dbt deps`
        DbtInvocationFailed,
        "Where an authority of your own has signed the certificate, name its file in REQUESTS_CA_BUNDLE.",
    ),
    _Rule(
        r"External connection exception occurred",
        DbtInvocationFailed,
        "Check that this machine reaches the hub of packages (DBT_PACKAGE_HUB_URL) and the addresses that it names, "
        "and run `dbt deps` again.",
    ),
    _Rule(
        r"No space left on device|Disk quota exceeded|File too large",
        DbtInvocationFailed,
        "Make room on the disks of `target_path`, of the log and of the packages, and run the command again.",
    ),
    _Rule(
        r"certificate verify failed",
        DbtDatabaseUnreachable,
        "Name the authority that has signed the database's certificate in the target of profiles.yml; for PostgreSQL "
        "by `sslrootcert`.",
    ),
    _Rule(
        r"could not translate host name|name or service not known|connection refused|no route to host|"
        r"timeout expired|connection to server .* failed",
        DbtDatabaseUnreachable,
    ),
)

_BY_NAME: dict[str, type[DbtError]] = {
    "CompilationError": DbtCompilationError,
    "DbtConfigError": DbtProjectError,
    "DbtProfileError": DbtProfileError,
    "DbtProjectError": DbtProjectError,
    "DbtSelectorsError": DbtUsageError,
    "DbtUsageException": DbtUsageError,
    "DependencyError": DbtProjectError,
    "FailedToConnectError": DbtDatabaseUnreachable,
    "IncompatibleSchemaError": DbtManifestError,
    "InvalidSelectorError": DbtUsageError,
    "ParsingError": DbtProjectError,
    "ProfileConfigError": DbtProfileError,
    "ProjectContractError": DbtProjectError,
    "TargetNotFoundError": DbtCompilationError,
    "UninstalledPackagesFoundError": DbtProjectError,
}

_REMEDIES: dict[type[DbtError], str] = {
    DbtUsageError: "See `dbt <command> --help` for what the command accepts.",
    DbtProjectError: "Correct what dbt names; `dbt parse` checks a project without a database.",
    DbtCompilationError: "Correct the file that dbt names; `dbt parse` checks a project without a database.",
    DbtProfileError: "Check the profile in profiles.yml.",
    DbtDatabaseUnreachable: "Check host, port and login of the target in profiles.yml, and that the database runs.",
}

_QUOTED_LINE = re.compile(r"^\s*\d+\s*\|.*\n?", re.MULTILINE)
"""A line of the file that dbt could not read; those of a profile may hold a password."""


def error_of(name: str, message: str, *, command: str = "") -> DbtError:
    """Make this package's error of an exception that dbt raised.

    Args:
        name: Name of dbt's class, such as `DbtProfileError`.
        message: What it said.
        command: The command that was invoked, such as `source freshness`; empty when it is not known.

    Returns:
        The most specific error. Its message names the command, what dbt said, and the remedy where it is known. The
        caller raises it `from` the original where there is one.
    """
    text = message.strip() or name.strip() or "dbt gave no reason"
    cls, remedy = _classify(name, text)
    if cls is DbtProfileError:
        text = _QUOTED_LINE.sub("", text)
    prefix = f"dbt {command} failed: " if command else ""
    # What dbt says may end in a quotation: the remedy then stands on a line of its own.
    is_long = "\n" in text
    end = "" if is_long or text[-1:] in ".!?" else "."
    return cls(f"{prefix}{text}{end}{chr(10) if is_long else ' '}{remedy}".rstrip())


def _classify(name: str, text: str) -> tuple[type[DbtError], str]:
    for rule in _RULES:
        if found := re.search(rule.pattern, text, re.IGNORECASE):
            adapter = next((value for value in found.groupdict().values() if value), "")
            return rule.cls, rule.remedy.format(adapter=adapter) or _REMEDIES.get(rule.cls, "")
    cls = _BY_NAME.get(name)
    if cls is None:
        cls = DbtCompilationError if text.startswith("Compilation Error") else DbtInvocationFailed
    return cls, _REMEDIES.get(cls, "")

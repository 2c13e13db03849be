"""Who we are: Google's credentials of a block, made once for equal blocks and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit import kept
from prefect_integration_kit.replaced import is_replaced

from . import _stand_ins
from ._endpoints import endpoint_for
from ._service_accounts import EXTERNAL, check_federation, check_service_account, read_file
from ._tokens import share
from .errors import GcpCredentialsError, gcp_errors

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

    from .credentials import GcpCredentials

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_TIMEOUT_SECONDS = 30.0
_MAX_IDENTITIES = 64
_ENVIRONMENT = (
    "GOOGLE_",
    "GCLOUD_",
    "CLOUDSDK_",
    "GCE_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
)
# Which the SDK asks for a project, too: https://cloud.google.com/docs/authentication/client-libraries
_PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT")
NO_PROJECT = (
    "No project is known. Set project on the GCP credentials block, or GOOGLE_CLOUD_PROJECT in the environment."
)
_LOGIN_VARIABLES = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GCE_METADATA_HOST",
    "GCE_METADATA_ROOT",
    "GCE_METADATA_IP",
    # https://cloud.google.com/run/docs/container-contract#env-vars
    "K_SERVICE",
    "CLOUD_RUN_JOB",
)
# Of a Compute Engine machine it is "Google": https://cloud.google.com/compute/docs/instances/detect-compute-engine
_PRODUCT_NAME = Path("/sys/class/dmi/id/product_name")

_identities: kept.SharedValues[tuple[Any, str | None]] = kept.SharedValues(_MAX_IDENTITIES)


def forget_identities() -> None:
    """Drop all kept credentials; the next use makes new ones."""
    _identities.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_identities)


def fingerprint(block: GcpCredentials) -> Hashable:
    """Tell credentials apart by content and by what the SDK would read besides: variables and files.

    Where somebody else says who we are, a subclass or what a test has put in the SDK's place, it counts, too.
    """
    variables = sorted(
        item
        for item in os.environ.items()
        if item[0].upper().startswith(_ENVIRONMENT) or item[0].endswith("_EMULATOR_HOST")
    )
    files: list[Path | str] = [
        path for path in (block.service_account_file, block.workload_identity_federation_file) if path is not None
    ]
    if not has_own_identity(block):
        files += [os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or _well_known_file()]
    key = kept.fingerprint(block, variables, kept.changed_at(files))
    if has_own_source(block):
        return key, kept.Only(type(block).get_credentials_from_service_account), kept.Only(block)
    if has_own_identity(block):
        stand_in = _stand_ins.key_class()
        return key if stand_in is None else (key, *(kept.Only(made) for made in _makers(stand_in)))
    return key, kept.Only(import_module("google.auth").default)


def _makers(cls: Any) -> Iterator[object]:
    """What makes credentials of a key, in the place of the SDK's class."""
    for source in ("info", "file"):
        made: Any = getattr(cls, f"from_service_account_{source}", None)
        yield getattr(made, "__func__", made)


def _well_known_file() -> Path:
    folder = os.environ.get("CLOUDSDK_CONFIG") or "~/.config/gcloud"
    return Path(folder) / "application_default_credentials.json"


def has_own_source(block: GcpCredentials) -> bool:
    """Say whether a subclass has its own `get_credentials_from_service_account`, which then says who we are."""
    return is_replaced(block, "get_credentials_from_service_account", "prefect_gcp.credentials")


def has_own_identity(block: GcpCredentials) -> bool:
    """Say whether the block names an identity; without one, Application Default Credentials are used."""
    return any(
        (
            has_own_source(block),
            block.service_account_file,
            block.service_account_info is not None,
            block.workload_identity_federation is not None,
            block.workload_identity_federation_file,
        )
    )


def has_default_login() -> bool:
    """Say whether Application Default Credentials are to be expected here, without a request.

    The SDK looks for a metadata server last, which takes seconds where there is none.
    """
    if any(os.environ.get(name) for name in _LOGIN_VARIABLES) or Path(_well_known_file()).expanduser().exists():
        return True
    try:
        return _PRODUCT_NAME.read_text(encoding="utf-8").startswith("Google")
    except OSError:
        return False


def google_credentials(block: GcpCredentials) -> Credentials:
    """The block's credentials as the SDKs take them; a subclass may have its own.

    Args:
        block: Who we are.

    Raises:
        GcpCredentialsMissing: If the block names no identity and there are no Application Default Credentials.
        GcpCredentialsError: If the credentials are malformed.
    """
    return block.get_credentials_from_service_account() if has_own_source(block) else named_credentials(block)


def named_credentials(block: GcpCredentials) -> Credentials:
    """The credentials that the block's fields name.

    Equal blocks share one; its token is renewed before it expires, once however many threads use it.

    Args:
        block: Who we are.

    Raises:
        GcpCredentialsMissing: If the block names no identity and there are no Application Default Credentials.
        GcpCredentialsError: If the credentials are malformed.
    """
    return _identity(block)[0]


def _identity(block: GcpCredentials) -> tuple[Any, str | None]:
    return _identities.get(fingerprint(block), lambda: _build(block))


def _build(block: GcpCredentials) -> tuple[Any, str | None]:
    with gcp_errors(describe(block)):
        credentials, project = _source(block)
        if block.impersonate_service_account:
            credentials = _impersonated(block, credentials)
        return credentials, project


def describe(block: GcpCredentials) -> str:
    """Name the identity's source, without secrets, for messages."""
    if block.service_account_file:
        return f"Service account file {str(block.service_account_file)!r}"
    if block.service_account_info is not None:
        return f"Service account {account_of(block) or 'key'}"
    if block.workload_identity_federation is not None or block.workload_identity_federation_file:
        return "Workload identity federation"
    return "Application Default Credentials"


def scopes_of(block: GcpCredentials) -> list[str]:
    """The OAuth scopes of tokens."""
    return list(block.scopes) or [CLOUD_PLATFORM]


def source_credentials(block: GcpCredentials) -> Any:
    """The credentials that the block names or the environment has, before any impersonation."""
    with gcp_errors(describe(block)):
        return _source(block)[0]


def _source(block: GcpCredentials) -> tuple[Any, str | None]:
    info = _info(block)
    if info is None:
        return _default(block)
    if info.get("type") in EXTERNAL:
        credentials, project = _external(block, info), None
    else:
        credentials, project = _service_account(block, info), str(info.get("project_id") or "") or None
    if block.quota_project:
        credentials = credentials.with_quota_project(block.quota_project)
    return share(credentials), project


def _info(block: GcpCredentials) -> dict[str, Any] | None:
    """The JSON that the block names; files are read anew, since keys are rotated."""
    try:
        if block.service_account_file is not None:
            info = read_file(block.service_account_file, "service_account_file")
            check_key(info, "service_account_file")
            return info
        if block.service_account_info is not None:
            info = block.service_account_info.get_secret_value()
            check_key(info, "service_account_info")
            return info
        if block.workload_identity_federation_file is not None:
            info = read_file(block.workload_identity_federation_file, "workload_identity_federation_file")
            check_federation(info, "workload_identity_federation_file")
            return info
        if block.workload_identity_federation is not None:
            info = block.workload_identity_federation.get_secret_value()
            check_federation(info, "workload_identity_federation")
            return info
    except ValueError as exc:
        raise GcpCredentialsError(f"GCP credentials: {exc}", subject=describe(block)) from exc
    return None


def check_key(info: dict[str, Any], field: str) -> None:
    """Refuse what is not a complete service account key; what stands in for the SDK may take anything.

    Args:
        info: The key.
        field: The field of the block that it came from.

    Raises:
        ValueError: Naming the keys that are missing, or what else it is.
    """
    if _stand_ins.key_class() is None:
        check_service_account(info, field)


def _service_account(block: GcpCredentials, info: dict[str, Any]) -> Any:
    if (stand_in := _stand_ins.key_class()) is not None:
        is_file, scopes = block.service_account_file is not None, {"scopes": scopes_of(block)}
        make = stand_in.from_service_account_file if is_file else stand_in.from_service_account_info
        return make(str(block.service_account_file) if is_file else info, **_stand_ins.fitting(make, scopes))
    from google.oauth2 import service_account

    field = "service_account_file" if block.service_account_file is not None else "service_account_info"
    try:
        credentials = service_account.Credentials.from_service_account_info(info, scopes=scopes_of(block))
    except (ValueError, TypeError) as exc:
        # The parser's message says at which byte the key stops making sense; nobody can do anything with that.
        raise GcpCredentialsError(
            f"{field}: 'private_key' is not a private key in PEM format. Create a key for {info['client_email']} and "
            "use the whole JSON file; line breaks in the key are written \\n.",
            subject=describe(block),
        ) from exc
    return credentials.with_universe_domain(block.universe_domain) if block.universe_domain else credentials


def _external(block: GcpCredentials, info: dict[str, Any]) -> Any:
    from google.auth import aws, external_account_authorized_user, identity_pool, pluggable

    if info["type"] == EXTERNAL[1]:
        kind: Any = external_account_authorized_user.Credentials
    else:
        source: Any = info.get("credential_source")
        source = cast("dict[str, Any]", source) if isinstance(source, dict) else {}
        environment = str(source.get("environment_id") or "")
        kind = identity_pool.Credentials
        if environment.startswith("aws"):
            kind = aws.Credentials
        elif "executable" in source:
            kind = pluggable.Credentials
    if block.universe_domain:
        info = {**info, "universe_domain": block.universe_domain}
    try:
        return kind.from_info(info, scopes=scopes_of(block))
    except (ValueError, TypeError, KeyError) as exc:
        raise GcpCredentialsError(f"Workload identity federation: {exc}", subject=describe(block)) from exc


def _default(block: GcpCredentials) -> tuple[Any, str | None]:
    import google.auth as google_auth

    default: Any = cast("Any", google_auth).default
    options = {"scopes": scopes_of(block), "request": token_request(), "quota_project_id": block.quota_project}
    found: tuple[Any, str | None] = default(**_stand_ins.fitting(default, options))
    return share(found[0]), found[1] or _text(getattr(found[0], "quota_project_id", None))


def _impersonated(block: GcpCredentials, source: Any) -> Any:
    from google.auth import impersonated_credentials

    account = block.impersonate_service_account
    endpoint = endpoint_for(block.api_endpoints, "iamcredentials")
    override = None
    if endpoint is not None:
        if not endpoint.may_have_tokens:
            raise GcpCredentialsError(
                "api_endpoints: the address of 'iamcredentials' must begin with https://, since tokens are sent there."
            )
        override = f"{endpoint.url}/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    return share(
        impersonated_credentials.Credentials(
            source_credentials=source,
            target_principal=account,
            target_scopes=scopes_of(block),
            delegates=list(block.impersonate_delegates) or None,
            quota_project_id=block.quota_project,
            iam_endpoint_override=override,
        )
    )


def token_request() -> Any:
    """The SDK's transport for asking for tokens, with a time-out for each request."""
    import functools

    from google.auth.transport.requests import Request

    request: Any = Request()
    return functools.partial(request, timeout=TOKEN_TIMEOUT_SECONDS)


def access_token(block: GcpCredentials) -> str:
    """A token that is good for a while; a new one is asked for when the kept one is about to expire.

    Args:
        block: Who we are.

    Raises:
        GcpCredentialsRefused: If Google does not accept the credentials.
        GcpUnavailable: If the token endpoint does not answer.
    """
    credentials: Any = google_credentials(block)
    with gcp_errors(describe(block), account=account_of(block)):
        renew = getattr(credentials, "renew_if_due", None)
        if renew is not None:
            renew(token_request())
        elif not credentials.valid:
            credentials.refresh(token_request())
    return str(credentials.token)


def account_of(block: GcpCredentials) -> str:
    """The e-mail address of the identity, as far as it is known without asking Google; else empty."""
    if block.impersonate_service_account:
        return block.impersonate_service_account
    if block.service_account_info is not None:
        return str(block.service_account_info.get_secret_value().get("client_email") or "")
    if block.service_account_file is not None:
        try:
            return str(read_file(block.service_account_file, "service_account_file").get("client_email") or "")
        except ValueError:
            return ""
    return ""


def offline_project(block: GcpCredentials) -> str | None:
    """The project that the key names, or for Application Default Credentials the environment; without any request."""
    if block.service_account_info is not None:
        return str(block.service_account_info.get_secret_value().get("project_id") or "") or None
    if block.service_account_file is not None:
        return str(read_file(block.service_account_file, "service_account_file").get("project_id") or "") or None
    named = next((os.environ[name] for name in _PROJECT_VARIABLES if os.environ.get(name)), None)
    return named or (None if has_own_identity(block) else _default_project(block))


def _default_project(block: GcpCredentials) -> str | None:
    """The project of Application Default Credentials, where a key of this machine or what a test put there says it."""
    sdk = sys.modules.get("google.auth")
    said: Any = None
    try:
        path = Path(os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or _well_known_file()).expanduser()
        if sdk is not None and is_replaced(sdk, "default", "google.auth._default"):
            said = _identity(block)[1]
        elif path.exists():
            content = read_file(path, "GOOGLE_APPLICATION_CREDENTIALS")
            # A person has no project; the login of gcloud names the one that is charged.
            said = content.get("project_id") or content.get("quota_project_id")
    except (ValueError, TypeError, RuntimeError):  # what is wrong is said by the first call
        return None
    return _text(said)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def project_of(block: GcpCredentials) -> str:
    """The project that requests are about: the block's, else that of its key, else that of the environment.

    Args:
        block: Who we are.

    Raises:
        ValueError: If none is known.
    """
    project = block.project or offline_project(block)
    if not project:
        own = google_credentials(block) if has_own_source(block) else None
        project = _identity(block)[1] if own is None else getattr(own, "project_id", None)
    if not project:
        raise ValueError(NO_PROJECT)
    return project

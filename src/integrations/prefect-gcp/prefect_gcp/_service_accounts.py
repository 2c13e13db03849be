"""Keys of service accounts, and configurations of workload identity federation, as JSON: read and checked.

Nothing of Google's SDKs is needed to say what is wrong with a key, so it is said when the block is made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

SERVICE_ACCOUNT = "service_account"
EXTERNAL = ("external_account", "external_account_authorized_user")
# What a token cannot be asked for without: https://cloud.google.com/iam/docs/keys-create-delete#creating
_NEEDED = ("client_email", "private_key", "token_uri")
_NEEDED_EXTERNAL = ("audience", "subject_token_type", "token_url", "credential_source")


def read_file(path: Path, field: str) -> dict[str, Any]:
    """Read a JSON file of credentials.

    Args:
        path: The file.
        field: The field of the block that names it, for messages.

    Raises:
        ValueError: If there is no such file, or it holds no JSON object.
    """
    if not path.exists():
        raise ValueError(f"{field}: there is no file {str(path)!r}. The path must exist where the flow runs.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{field}: {str(path)!r} cannot be read ({type(exc).__name__}).") from None
    return parse(text, field)


def parse(text: str, field: str) -> dict[str, Any]:
    """Read credentials from JSON text; the message about what is wrong with it does not quote it.

    Raises:
        ValueError: If it is not the text of a JSON object.
    """
    try:
        info = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ValueError(f"{field}: not valid JSON (line {exc.lineno}, column {exc.colno}: {exc.msg}).") from None
    except (ValueError, RecursionError):  # a number of too many digits, lists without end
        raise ValueError(f"{field}: not the JSON of credentials.") from None
    if not isinstance(info, dict):
        raise ValueError(f"{field}: a JSON object is expected, not {type(info).__name__}.")  # noqa: TRY004 - of the field
    return cast("dict[str, Any]", info)


def check_service_account(info: dict[str, Any], field: str) -> None:
    """Refuse what is not a complete service account key.

    Args:
        info: The key.
        field: The field of the block that it came from.

    Raises:
        ValueError: Naming the keys that are missing, or what else it is.
    """
    kind = info.get("type", SERVICE_ACCOUNT)
    if kind in EXTERNAL:
        raise ValueError(f"{field}: this is of type {kind!r}. Put it into workload_identity_federation.")
    if kind != SERVICE_ACCOUNT:
        raise ValueError(
            f"{field}: a key of type 'service_account' is expected, this is of type {_shown(kind)}. Leave the field "
            "empty to use Application Default Credentials."
        )
    _check_keys(info, _NEEDED, field, "Create a key for the service account and use the whole JSON file.")


def check_federation(info: dict[str, Any], field: str) -> None:
    """Refuse what is not a configuration of workload (or workforce) identity federation.

    Raises:
        ValueError: Naming the keys that are missing, or what else it is.
    """
    kind = info.get("type")
    if kind == SERVICE_ACCOUNT:
        raise ValueError(f"{field}: this is a service account key. Put it into service_account_info.")
    if kind not in EXTERNAL:
        raise ValueError(f"{field}: a configuration of type 'external_account' is expected, not {_shown(kind)}.")
    if kind == EXTERNAL[0]:
        _check_keys(
            info,
            _NEEDED_EXTERNAL,
            field,
            "Create it with: gcloud iam workload-identity-pools create-cred-config.",
        )


def _check_keys(info: dict[str, Any], needed: tuple[str, ...], field: str, remedy: str) -> None:
    missing = [key for key in needed if info.get(key) in (None, "", {})]
    if missing:
        names = ", ".join(repr(key) for key in missing)
        raise ValueError(f"{field}: {names} {'is' if len(missing) == 1 else 'are'} missing. {remedy}")
    wrong = [key for key in needed if key != "credential_source" and not isinstance(info[key], str)]
    if wrong:
        raise ValueError(f"{field}: {wrong[0]!r} must be text. {remedy}")


def _shown(kind: Any) -> str:
    """A type's name, unless somebody put something else there."""
    return (
        repr(kind) if isinstance(kind, str) and len(kind) < 40 and kind.replace("_", "").isalnum() else "another kind"
    )

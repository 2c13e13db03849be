"""Private keys, in all the forms that people paste them in."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InvalidPemFormat

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_ARMOUR = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_HEADER = re.compile(r"((?:Proc-Type|DEK-Info): *[^\s\\]+)")  # of a PKCS#1 key with a passphrase (RFC 1421)
_LINE = 64

_FORMS = (
    "Give it as PEM (-----BEGIN PRIVATE KEY-----, -----BEGIN RSA PRIVATE KEY-----, with or without a passphrase), "
    "or as the base64 form of DER."
)


def storable(key: bytes) -> bytes:
    """Write a key so that it can be saved and that others read it, too: clean PEM, or the base64 form of DER.

    Args:
        key: As it was given. What is no key is left alone, for the error to come when it is used.
    """
    try:
        pem, der = _forms(key, "private_key")
    except InvalidPemFormat:
        return key
    made = base64.b64encode(der) if pem is None else pem
    return key if made.strip() == key.strip() else made


def read_key_file(path: Path) -> bytes:
    """Read the file of a key.

    Args:
        path: Where it is; `~` stands for the home folder.

    Raises:
        InvalidPemFormat: If it cannot be read.
    """
    try:
        return path.expanduser().read_bytes()
    except (OSError, RuntimeError) as exc:
        why = getattr(exc, "strerror", None) or str(exc)
        raise InvalidPemFormat(f"private_key_path: the file {path} cannot be read ({why}).") from exc


def der_key(key: bytes, passphrase: str | None, field: str, password: str | None = None) -> bytes:
    """Turn a private key into what Snowflake's connector takes: DER of PKCS#8, without a passphrase.

    Args:
        key: The key.
        passphrase: What it is encrypted with, if it is; one that is not needed is ignored.
        field: Name of the field that holds the key, for messages.
        password: Password of the user, which older blocks have in the place of the passphrase.

    Raises:
        InvalidPemFormat: If it cannot be read. The message says nothing of the key.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    given = [text.encode() if text else None for text in (passphrase, None if passphrase else password)]
    loaded = _load(key, given[0], field, given[1])
    if not isinstance(loaded, RSAPrivateKey | EllipticCurvePrivateKey):
        raise InvalidPemFormat(f"{field}: the key is neither of RSA nor of an elliptic curve, which Snowflake takes.")
    return loaded.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load(key: bytes, passphrase: bytes | None, field: str, password: bytes | None) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    pem, der = _forms(key, field)
    refused: Exception | None = None
    for secret in dict.fromkeys((passphrase, None, password)):  # one that is not needed is refused by the library
        try:
            if pem is not None:
                return serialization.load_pem_private_key(pem, secret)
            return serialization.load_der_private_key(der, secret)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:  # noqa: PERF203 - twice at most
            refused = refused or exc
    raise InvalidPemFormat(_reason(refused, pem, passphrase, field)) from None


def _reason(exc: Exception | None, pem: bytes | None, passphrase: bytes | None, field: str) -> str:
    text = str(exc)
    is_encrypted = pem is not None and (b"ENCRYPTED" in pem)
    if passphrase is None and (is_encrypted or "Password was not given" in text):
        return f"{field}: the key is encrypted. Give `private_key_passphrase`."
    if passphrase is not None and (is_encrypted or "password" in text.lower()):
        return f"{field}: the key cannot be decrypted. Check `private_key_passphrase`."
    return f"{field}: this is no private key. {_FORMS}"


def _forms(key: bytes, field: str) -> tuple[bytes | None, bytes]:
    """The key as PEM; where it is none, as DER."""
    try:
        text = key.decode().strip().strip("'\"").replace("\ufeff", "")
    except UnicodeDecodeError:
        return None, key
    if not text:
        raise InvalidPemFormat(f"{field}: it is empty. {_FORMS}")
    plain = text.replace("\\r", "").replace("\\n", "\n").replace("\r", "")
    if "-----BEGIN" in plain:
        return _pem(plain, field), b""
    try:
        decoded = base64.b64decode("".join(plain.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPemFormat(f"{field}: this is no private key. {_FORMS}") from None
    if b"-----BEGIN" in decoded:  # as secret stores hand PEM files out
        return _pem(decoded.decode("utf-8", "replace").replace("\r", ""), field), b""
    return None, decoded


def _pem(text: str, field: str) -> bytes:
    """Write PEM anew, in lines of the right length, whatever stood for the line ends."""
    found = _ARMOUR.search(text)
    if found is None:
        raise InvalidPemFormat(f"{field}: the key has no matching -----END ...----- line; it was cut off.")
    kind, body = found[1], found[2]
    if "PRIVATE KEY" not in kind:
        raise InvalidPemFormat(f"{field}: this is a {kind.lower()}. Give the private key.")
    headers = [header.replace(":", ": ").replace(":  ", ": ") for header in _HEADER.findall(body)]
    packed = "".join(_HEADER.sub("", body).split())
    lines = [packed[start : start + _LINE] for start in range(0, len(packed), _LINE)]
    head = [*headers, ""] if headers else []
    return "\n".join([f"-----BEGIN {kind}-----", *head, *lines, f"-----END {kind}-----", ""]).encode()

"""Key pairs: every form in which people paste a private key logs in, and feeds dbt."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from prefect_snowflake import InvalidPemFormat, SnowflakeCredentials, SnowflakeLoginRefused

from ._account import make_connector

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
PASSPHRASE = "pass phrase"
PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8, PKCS1 = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(PASSPHRASE.encode())

WANTED = KEY.private_bytes(DER, PKCS8, PLAIN)
PEM8, PEM1 = KEY.private_bytes(PEM, PKCS8, PLAIN), KEY.private_bytes(PEM, PKCS1, PLAIN)
LOCKED8, LOCKED1 = KEY.private_bytes(PEM, PKCS8, LOCKED), KEY.private_bytes(PEM, PKCS1, LOCKED)

FORMS: dict[str, tuple[bytes, str | None]] = {
    "PKCS8": (PEM8, None),
    "PKCS1": (PEM1, None),
    "PKCS8-encrypted": (LOCKED8, PASSPHRASE),
    "PKCS1-encrypted": (LOCKED1, PASSPHRASE),
    "written-line-ends": (PEM8.replace(b"\n", b"\\n"), None),
    "written-line-ends-encrypted": (LOCKED8.replace(b"\n", b"\\n"), PASSPHRASE),
    "PKCS1-written-line-ends-encrypted": (LOCKED1.replace(b"\n", b"\\n"), PASSPHRASE),
    "spaces": (PEM8.replace(b"\n", b" "), None),
    "PKCS1-spaces-encrypted": (LOCKED1.replace(b"\n", b" "), PASSPHRASE),
    "Windows-line-ends": (PEM8.replace(b"\n", b"\r\n"), None),
    "white-space-around": (b"\n  " + PEM8 + b"  \n\n", None),
    "quoted": (b'"' + PEM8.replace(b"\n", b"\\n") + b'"', None),
    "no-line-ends": (PEM8.replace(b"\n", b""), None),
    "base64-of-DER": (base64.b64encode(WANTED), None),
    "base64-of-DER-in-lines": (base64.encodebytes(WANTED), None),
    "base64-of-PEM": (base64.b64encode(PEM8), None),
    "base64-of-encrypted-DER": (base64.b64encode(KEY.private_bytes(DER, PKCS8, LOCKED)), PASSPHRASE),
    "DER": (WANTED, None),
    "passphrase-not-needed": (PEM8, PASSPHRASE),
}
forms = pytest.mark.parametrize(("key", "passphrase"), FORMS.values(), ids=FORMS)


def public(key: Any = KEY) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def make(key: Any, passphrase: str | None = None, **fields: Any) -> SnowflakeCredentials:
    given: dict[str, Any] = {"account": "a", "user": "fake", **fields}
    return SnowflakeCredentials(private_key=key, private_key_passphrase=passphrase, **given)


@forms
def test_every_form_is_read(key: bytes, passphrase: str | None) -> None:
    assert make(key, passphrase).resolve_private_key() == WANTED


@pytest.mark.parametrize("key", [LOCKED8, LOCKED1, PEM8], ids=["PKCS8", "PKCS1", "not encrypted"])
def test_a_passphrase_in_the_place_of_the_password_is_taken(key: bytes) -> None:
    """As in blocks from before there was `private_key_passphrase`."""
    assert make(key, password=PASSPHRASE).resolve_private_key() == WANTED
    if key != PEM8:
        with pytest.raises(InvalidPemFormat, match="the key is encrypted"):
            make(key, password="another").resolve_private_key()


@forms
def test_every_form_logs_in_without_a_password(key: bytes, passphrase: str | None, snowflake_server: Any) -> None:
    snowflake_server.accounts.public_keys["FAKE"] = public()
    with make(key, passphrase, **snowflake_server.address()).get_client():
        assert snowflake_server.logins[-1]["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
        assert "PASSWORD" not in snowflake_server.logins[-1]


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_feeds_dbt(form: str) -> None:
    """The target of prefect-dbt is read by dbt's own adapter (archive dbt#108)."""
    configs = pytest.importorskip("prefect_dbt.cli.configs.snowflake")
    adapter = pytest.importorskip("dbt.adapters.snowflake.connections")
    key, passphrase = FORMS[form]
    connector = make_connector(make(key, passphrase, authenticator="snowflake_jwt"), "D")
    target = configs.SnowflakeTargetConfigs(connector=connector).get_configs()
    arguments = {name: value for name, value in target.items() if name not in ("type", "threads")}
    dbt = adapter.SnowflakeCredentials(**arguments)
    assert dbt.auth_args()["private_key"] == WANTED


def test_a_key_file_is_read_at_each_login(snowflake_server: Any, tmp_path: Path) -> None:
    path = tmp_path / "key.p8"
    path.write_bytes(LOCKED8)
    snowflake_server.accounts.public_keys["FAKE"] = public()
    credentials = SnowflakeCredentials(
        user="fake",
        private_key_path=path,
        private_key_passphrase=PASSPHRASE,  # pyright: ignore[reportArgumentType]
        **snowflake_server.address(),
    )
    credentials.get_client().close()
    path.write_bytes(CURVE.private_bytes(PEM, PKCS8, PLAIN))
    snowflake_server.accounts.public_keys["FAKE"] = public(CURVE)
    credentials.get_client().close()


def test_a_key_of_an_elliptic_curve_logs_in(snowflake_server: Any) -> None:
    snowflake_server.accounts.public_keys["FAKE"] = public(CURVE)
    key = CURVE.private_bytes(PEM, PKCS1, PLAIN)
    make(key, **snowflake_server.address()).get_client().close()


def test_a_key_that_is_not_the_users_is_refused(snowflake_server: Any) -> None:
    snowflake_server.accounts.public_keys["FAKE"] = public(CURVE)
    with pytest.raises(SnowflakeLoginRefused, match="JWT token is invalid"):
        make(PEM8, **snowflake_server.address()).get_client()


@pytest.mark.parametrize(
    ("key", "passphrase", "said"),
    [
        (LOCKED8, None, "the key is encrypted. Give `private_key_passphrase`"),
        (LOCKED1, None, "the key is encrypted. Give `private_key_passphrase`"),
        (LOCKED8, "wrong", "cannot be decrypted. Check `private_key_passphrase`"),
        (LOCKED1, "wrong", "cannot be decrypted. Check `private_key_passphrase`"),
        (PEM8[:600], None, "no matching -----END"),
        (public(), None, "this is a public key"),
        (PEM8.replace(b"M", b"X"), None, "no private key"),
        (b"not a key", None, "no private key"),
        (b"bm90IGEga2V5", None, "no private key"),
        (b"  ", None, "is empty"),
    ],
    ids=["encrypted", "encrypted-1", "wrong", "wrong-1", "cut", "public", "garbled", "text", "base64", "empty"],
)
def test_a_malformed_key_names_the_field_and_is_not_shown(key: bytes, passphrase: str | None, said: str) -> None:
    with pytest.raises(InvalidPemFormat, match=f"private_key: .*{said}") as caught:
        make(key, passphrase).resolve_private_key()
    shown = f"{caught.value!r} {caught.value.__cause__!r}"
    assert not any(line in shown for line in key.decode().splitlines() if len(line) > 40)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    credentials = SnowflakeCredentials(account="a", user="u", private_key_path=tmp_path / "gone.p8")
    with pytest.raises(InvalidPemFormat, match=r"private_key_path: .*gone\.p8 cannot be read \(No such file"):
        credentials.get_client()


def test_a_der_key_can_be_saved(prefect_harness: None) -> None:
    make(WANTED).save("der", overwrite=True)
    assert SnowflakeCredentials.load("der").resolve_private_key() == WANTED

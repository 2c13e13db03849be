"""Parsers of prefect-azure."""

from __future__ import annotations

import traceback

from prefect_azure._aci.identifiers import read_identifier
from prefect_azure._blob.listing import checked_key
from prefect_azure._cosmos import connection as cosmos
from prefect_azure._storage_account import parse_connection_string, split_sas
from prefect_azure._workers import names
from prefect_azure.errors import AzureCredentialsError

from ..registry import refusal, refusing, target

_KEY = "q7ZxKEYq7Zx"


@target(
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://h/;SharedAccessSignature=sv=1&sig=x",
    "UseDevelopmentStorage=true",
    "=;",
    ";;",
)
def storage_strings(text: str) -> None:
    """A connection string is taken apart, or refused without being quoted."""
    for given in (text, f"AccountKey={_KEY};{text}", f"{text};AccountKey {_KEY}", f"{_KEY}{text}"):
        error = refusal(lambda given=given: parse_connection_string(given), AzureCredentialsError)
        assert error is None or _KEY not in "".join(traceback.format_exception(error))
    with refusing(AzureCredentialsError):
        parts = parse_connection_string(text.replace("'", "").replace('"', ""))  # around the whole they are cut off
        assert parse_connection_string(";".join(f"{name}={value}" for name, value in parts.items())) == parts


@target("AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey=a2V5;", "AccountEndpoint=https://[;", "x")
def cosmos_strings(text: str) -> None:
    """A connection string of Cosmos DB names a host, or is refused without being quoted."""
    with refusing(AzureCredentialsError):
        account = cosmos.parse_connection_string(text)
        assert account.name
    for given in (f"{text};AccountKey={_KEY}!", f"AccountEndpoint=https://u:{_KEY}{text}@h;"):
        error = refusal(lambda given=given: cosmos.parse_connection_string(given), AzureCredentialsError)
        assert error is None or _KEY not in "".join(traceback.format_exception(error))


@target("https://a.blob.core.windows.net/?sv=1&sig=x", "https://a.blob.core.windows.net", "?sig=")
def sas_urls(text: str) -> None:
    """The address of an account has no signature in it any more."""
    address, signature = split_sas(text)
    assert signature in text
    assert not signature or "sig" not in address.partition("?")[2]


@target(
    "0a0b:group-1", "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerInstance/containerGroups/n", "n"
)
def identifiers(text: str) -> None:
    """What is read of an identifier names the same group when it is written again."""
    with refusing(ValueError):
        found = read_identifier(text)
        assert read_identifier(found.normal).name == found.name
        assert "/" not in found.name


@target("a/b.txt", "../x", "a/./b", "a" * 1100, "a\\..\\b")
def blob_names(key: str) -> None:
    """The name of a blob is one that an address keeps."""
    with refusing(ValueError):
        assert not {".", ".."} & set(checked_key(key).split("/"))


@target(("my run", "x"), ("é", "y"), ("9", ""), ("a--b", "z"))
def resource_names(name: str, submission: str) -> None:
    """A name is legal whatever it is made of; a tag's name, too."""
    made = names.resource_name(name, submission.encode("utf-8", "replace").decode(), longest=63)
    assert len(made) <= 63
    assert made[0].isascii()
    assert made[0].isalpha()
    assert "--" not in made
    assert made.replace("-", "").isalnum()
    assert all(not set(tag) & set("<>%&\\?/") for tag in names.tags_of({name: submission}))
    names.flow_run_of({names.FLOW_RUN_ID: name})
    names.made_at({names.MADE_AT: name})

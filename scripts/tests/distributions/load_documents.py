"""Save block documents as the published package has saved them, and load them by the package that is installed.

    python load_documents.py FILE

Runs where only the package is installed. The file is one of `documents/`: schema and data of each block, as they came
to the server, without descriptions. Prints the slugs of what was loaded, as JSON; fails with the first that is not what
it was.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import BlockDocumentCreate, BlockSchemaCreate, BlockTypeCreate
from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from prefect.client.schemas.objects import BlockDocument

NAME = "published"


def save(client: SyncPrefectClient, document: dict[str, Any], saved: dict[str, BlockDocument]) -> BlockDocument:
    """Save one document under `NAME`.

    Args:
        client: A client of the server.
        document: The entry of the file.
        saved: Documents that it may refer to, by slug.
    """
    slug: str = document["slug"]
    try:
        block_type = client.read_block_type_by_slug(slug)
    except ObjectNotFound:
        block_type = client.create_block_type(BlockTypeCreate(name=document["type"], slug=slug))
    schema = client.create_block_schema(
        BlockSchemaCreate(
            fields=with_checksums(document["fields"], saved),
            capabilities=document["capabilities"],
            version=document["version"],
            block_type_id=block_type.id,
        )
    )
    references = {
        name: {"$ref": {"block_document_id": str(saved[slug].id)}} for name, slug in document["references"].items()
    }
    return client.create_block_document(
        BlockDocumentCreate(
            name=NAME,
            data={**document["data"], **references},
            block_schema_id=schema.id,
            block_type_id=block_type.id,
        )
    )


def with_checksums(fields: Any, saved: dict[str, BlockDocument]) -> Any:
    """Put into references to other block schemas which schema of its type each is: that which is saved already."""
    if isinstance(fields, list):
        return [with_checksums(item, saved) for item in fields]
    if not isinstance(fields, dict):
        return fields
    if set(fields) == {"block_type_slug"}:
        schema = saved[fields["block_type_slug"]].block_schema
        return {**fields, "block_schema_checksum": schema.checksum}
    return {name: with_checksums(value, saved) for name, value in fields.items()}


def unlike(saved: object, loaded: object, path: str = "") -> list[str]:
    """Say where a loaded value differs from the saved one. What the loaded one has more is new and no fault."""
    if isinstance(saved, dict) and isinstance(loaded, dict):
        lost = [f"{path}{name} is gone" for name in saved if name not in loaded]
        return lost + [
            problem
            for name in saved
            if name in loaded
            for problem in unlike(saved[name], loaded[name], f"{path}{name}.")
        ]
    return [] if saved == loaded else [f"{path.rstrip('.')} was {saved!r} and is {loaded!r}"]


def main(file: Path) -> None:
    """Save and load every document of a file."""
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    module = importlib.import_module(content["module"])
    for name in dir(module):  # as `prefect block register` does: some blocks are imported late
        getattr(module, name)
    saved: dict[str, BlockDocument] = {}
    by_slug: dict[str, dict[str, Any]] = {}
    with get_client(sync_client=True) as client:
        for document in content["documents"]:  # those that others refer to come first
            saved[document["slug"]] = save(client, document, saved)
            by_slug[document["slug"]] = document

    def whole(document: dict[str, Any]) -> dict[str, Any]:
        references: dict[str, str] = document["references"]
        return {**document["data"], **{name: whole(by_slug[slug]) for name, slug in references.items()}}

    loaded: list[str] = []
    for document in content["documents"]:
        if document["is_foreign"]:
            continue
        try:
            block = Block.load(f"{document['slug']}/{NAME}")
        except RuntimeError as exc:
            raise AssertionError(f"{document['slug']}: {exc.__cause__ or exc}") from exc
        assert type(block).__module__.startswith(content["module"]), f"{document['slug']} was loaded as {type(block)}"
        now = json.loads(block.model_dump_json(by_alias=True, context={"include_secrets": True}))
        problems = unlike(whole(document), now)
        assert not problems, f"{document['slug']}: {'; '.join(problems)}"
        loaded.append(document["slug"])
    print(json.dumps(loaded))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

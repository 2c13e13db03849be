"""Images made of what this machine has: nothing is pulled, nothing is installed again."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

import pytest

from ._docker_python import compiled_modules, distribution_files, needed_distributions, standard_library
from .docker import DockerEngine, machine_lock, skipped_when_missing
from .processes import ServerError

_RECIPE = "1"
"""Part of each image's key: raise it when what goes into an image changes."""

_PIECE_BYTES = 1 << 20

_PACKAGES = f"usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}"
_ENVIRONMENT = ("ENV PATH=/usr/local/bin:/bin LD_LIBRARY_PATH=/usr/local/lib HOME=/root", "WORKDIR /root")

# As a script of `pip`'s, but for the path of an interpreter that the image has.
_SCRIPT = "#!/usr/local/bin/python\nimport sys\nfrom {module} import {name}\nsys.exit({call}())\n"


class ImageFile(NamedTuple):
    """A file that goes into an image."""

    path: str
    """Where it is in the image, without a slash in front."""

    source: Path | bytes | str
    """A file of this machine, the content, or the target of a symbolic link."""

    mode: int = 0o755


def pack(files: Iterable[ImageFile], folders: Sequence[str] = ("tmp",)) -> Iterator[bytes]:
    """Write files as a tar archive, in pieces, without a copy on disk. All belong to root.

    Args:
        files: The files; folders on the way come by themselves.
        folders: Empty folders that everybody may write to.
    """
    waiting = bytearray()
    for folder in folders:
        info = tarfile.TarInfo(folder)
        info.type, info.mode = tarfile.DIRTYPE, 0o1777
        waiting += info.tobuf(tarfile.GNU_FORMAT)
    for file in files:
        waiting += _entry(file)
        if len(waiting) > _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + bytes(2 * tarfile.BLOCKSIZE)


def _entry(file: ImageFile) -> bytes:
    info = tarfile.TarInfo(file.path)
    info.mode = file.mode
    content = b""
    if isinstance(file.source, str):
        info.type, info.linkname = tarfile.SYMTYPE, file.source
    elif isinstance(file.source, bytes):
        content = file.source
    else:
        content = file.source.read_bytes()
        info.mtime = int(file.source.stat().st_mtime)  # a compiled module knows its source by size and time
    info.size = len(content)
    return b"".join((info.tobuf(tarfile.GNU_FORMAT), content, bytes(-len(content) % tarfile.BLOCKSIZE)))


def libraries(programs: Iterable[Path]) -> set[Path]:
    """Return the shared libraries of the system that programs and extension modules load, the loader included.

    Args:
        programs: ELF files. What is no dynamic one has none.
    """
    paths = [str(path) for path in programs]
    if not paths:
        return set()
    listing = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:=> |^\s+)(/lib\S*|/usr/lib\S*)", listing, flags=re.MULTILINE)
    return {Path(path) for path in found}


def busybox_files() -> list[ImageFile]:
    """Return the files of an image that has busybox and, under their names, all its tools.

    Raises:
        ServerError: If the program is missing.
    """
    program = shutil.which("busybox")
    if program is None:
        raise ServerError("The program 'busybox' is missing. Install it (Debian: apt-get install busybox-static).")
    listing = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    files = [ImageFile("bin/busybox", Path(program))]
    files += [ImageFile(f"bin/{name}", "busybox") for name in listing.split() if name != "busybox"]
    return files + [ImageFile(str(path).lstrip("/"), path) for path in libraries([Path(program)])]


def python_files(distributions: Iterable[Distribution]) -> list[ImageFile]:
    """Return the files of an image with this interpreter and distributions of this environment, busybox beside them.

    Args:
        distributions: What to copy. Of one that is installed as editable, its import packages are copied.
    """
    files = [ImageFile(f"{_PACKAGES}/{path}", source) for path, source in standard_library()]
    scripts: dict[str, ImageFile] = {}
    for item in distributions:
        files += [ImageFile(f"{_PACKAGES}/site-packages/{path}", source) for path, source in distribution_files(item)]
        for point in item.entry_points.select(group="console_scripts"):
            path = f"usr/local/bin/{point.name}"
            text = _SCRIPT.format(module=point.module, name=point.attr.partition(".")[0], call=point.attr)
            scripts[path] = ImageFile(path, text.encode())
    binaries = [file.source for file in files if isinstance(file.source, Path) and ".so" in Path(file.path).suffixes]
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    shared = sorted(Path(sys.base_prefix, "lib").glob("libpython3*.so.1.0"))  # none, where Python is linked statically
    files += [ImageFile(f"usr/local/lib/{path.name}", path) for path in shared]
    files += [ImageFile(str(path).lstrip("/"), path) for path in libraries([interpreter, *shared, *binaries])]
    files += [ImageFile("usr/local/bin/python", interpreter), ImageFile("usr/local/bin/python3", "python")]
    files += [
        ImageFile("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644),
        ImageFile("etc/group", b"root:x:0:\nnogroup:x:65534:\n", 0o644),
        ImageFile("etc/nsswitch.conf", b"hosts: files dns\n", 0o644),
    ]
    return [*files, *scripts.values(), *busybox_files()]


def _compiled(files: Iterable[ImageFile], cache: Path | None) -> Iterator[ImageFile]:
    """Yield the compiled forms that modules have, beside them or in `cache`."""
    for file in files:
        if isinstance(file.source, Path) and file.source.suffix == ".py":
            name = f"{file.source.stem}.{sys.implementation.cache_tag}.pyc"
            places = [file.source.parent / "__pycache__"]
            if cache is not None:
                places.insert(0, cache / file.source.parent.relative_to("/"))
            for place in places:
                if (place / name).is_file():
                    yield ImageFile(f"{file.path.rpartition('/')[0]}/__pycache__/{name}", place / name, 0o644)
                    break


def _key(files: Iterable[ImageFile]) -> str:
    """Name the content: paths, and of files of this machine their size and time of change."""
    key = hashlib.sha256(_RECIPE.encode())
    for file in sorted(files, key=lambda file: file.path):
        content = file.source
        if isinstance(content, Path):
            found = content.stat()
            content = f"{found.st_size} {found.st_mtime_ns}"
        key.update(f"{file.path}\0{content!r}\0".encode())
    return key.hexdigest()[:16]


def python_image(engine: DockerEngine, distributions: Sequence[str], *, name: str = "prefect-tests") -> str:
    """Make an image with Python, Prefect and distributions of this environment with all they require.

    It is made once for each content and engine, some 15 s; after that this takes about 1 s.

    Args:
        engine: Where to make it.
        distributions: Requirements, such as `prefect-aws` or `prefect-aws[fast]`; `prefect` comes in any case.
        name: First part of the tag.

    Returns:
        The tag. `python`, `sh` and the programs of the distributions, such as `prefect`, are on its path.

    Raises:
        ServerError: If a distribution is not installed, or this is not Linux.
    """
    if sys.platform != "linux":
        raise ServerError("An image of this machine's Python needs Linux.")
    # On Python 3.13 Prefect needs time zones, and no distribution of it asks for them.
    files = python_files(needed_distributions(["prefect", "tzdata", *distributions]))
    tag = f"{name}:{_key(files)}"
    with machine_lock("image"):
        if not engine.has_image(tag):
            archive = pack([*files, *_compiled(files, compiled_modules())], ("tmp", "root"))
            engine.import_image(tag, archive, [*_ENVIRONMENT, 'CMD ["python"]'])
    return tag


def image_with_files(engine: DockerEngine, base: str, files: Mapping[str, str | bytes]) -> str:
    """Add files to an image, as a deployment that bakes its code in does (below 1 s).

    Args:
        engine: Where `base` is.
        base: Tag of the image to start from.
        files: Contents by absolute path.

    Returns:
        The tag of the new image, which says what is in it: the same files give the same image.
    """
    entries = [
        ImageFile(path.lstrip("/"), text if isinstance(text, bytes) else text.encode(), 0o644)
        for path, text in sorted(files.items())
    ]
    tag = f"{base.partition(':')[0]}-files:{_key([*entries, ImageFile('base', base.encode())])}"
    with machine_lock("image"):
        if not engine.has_image(tag):
            recipe = f"FROM {base}\nADD files.tar /\n".encode()
            layer = b"".join(pack(entries, ()))
            context = b"".join(pack([ImageFile("Dockerfile", recipe), ImageFile("files.tar", layer)], ()))
            engine.client().images.build(fileobj=io.BytesIO(context), custom_context=True, tag=tag, rm=True, pull=False)
    return tag


@pytest.fixture(scope="session")
def prefect_image(docker_engine: DockerEngine) -> Callable[..., str]:
    """A maker of images with this environment's Python, Prefect and what is named; see `python_image`.

    `prefect_image("prefect-acme")` returns the tag. An image is made once, however many tests ask for it.
    """

    def make(*distributions: str) -> str:
        with skipped_when_missing():
            return python_image(docker_engine, distributions)

    return make

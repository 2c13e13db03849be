"""Files and images that go with a mail, from wherever their bytes are."""

from __future__ import annotations

import base64
import mimetypes
import os
import re
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.nonmultipart import MIMENonMultipart
from pathlib import Path, PurePath
from typing import Any, BinaryIO, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, field_validator

from prefect_email._headers import MAIL_POLICY, check_text, without_surrogates
from prefect_email.errors import (
    AttachmentIsFolder,
    AttachmentNotFound,
    InvalidAttachment,
)

_BASE64_GROWTH = 78 / 57  # 57 bytes become a line of 76 characters and a line end
_LONGEST_FILENAME = 255  # bytes; what file systems take
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_UNKNOWN = "application/octet-stream"
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}

_IMAGE_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)


class EmailAttachment(BaseModel):
    r"""A file to attach, or an image to show inline, with its name and type.

    Example:
        Attach a table that never was a file:
        ```python
        from prefect_email import EmailAttachment

        report = EmailAttachment(filename="report.csv", content=b"a,b\n1,2\n", content_type="text/csv")
        ```
    """

    model_config = ConfigDict(defer_build=True, arbitrary_types_allowed=True)

    content: SkipValidation[bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO] = Field(
        description="Bytes; a text, sent as UTF-8; an open file, read from its beginning; or the "
        "`pathlib.Path` of a file."
    )
    filename: str | None = Field(
        default=None,
        description="Name shown to the reader; that of the file when not given. Bytes need one.",
    )
    content_type: str | None = Field(
        default=None,
        description="MIME type such as `text/csv`; guessed from the name when not given.",
    )

    @field_validator("content_type")
    @classmethod
    def _check_content_type(cls, value: str | None) -> str | None:
        if value is not None and not _CONTENT_TYPE.fullmatch(value):
            raise ValueError(f"{value!r} is no MIME type. Give one such as 'text/csv'.")
        return value

    def size_bytes(self) -> int:
        """Say how large the content is, without reading a file.

        Raises:
            AttachmentNotFound: If there is no file at the path.
            AttachmentIsFolder: If the path is a folder.
            InvalidAttachment: If the content is neither bytes, nor a file, nor a path.
        """
        content = self.content
        if isinstance(content, (bytes, bytearray)):
            return len(content)
        if isinstance(content, memoryview):
            return content.nbytes
        if isinstance(content, str):
            return len(content)
        if isinstance(content, os.PathLike):
            return _existing_file(content).stat().st_size
        if not hasattr(content, "read") or not hasattr(content, "seek"):
            raise InvalidAttachment(
                f"Attachment {self.filename!r}: content of type {type(content).__name__} cannot be sent. "
                "Give bytes, a text, a file that can be rewound, or a pathlib.Path."
            )
        return content.seek(0, os.SEEK_END)

    def read(self) -> bytes:
        """Return the content.

        Raises:
            InvalidAttachment: If it cannot be read.
        """
        content = self.content
        if isinstance(content, (bytes, bytearray, memoryview)):
            return bytes(content)
        if isinstance(content, str):
            return without_surrogates(content).encode()
        if isinstance(content, os.PathLike):
            path = _existing_file(content)
            try:
                return path.read_bytes()
            except OSError as exc:
                raise InvalidAttachment(f"Attachment {str(path)!r} cannot be read: {exc.strerror}.") from exc
        self.size_bytes()  # checks the kind
        content.seek(0)
        read = cast("bytes | str", content.read())
        return read.encode() if isinstance(read, str) else read

    def name(self) -> str:
        """Return the name to show.

        Raises:
            HeaderInjection: If it holds control characters.
            InvalidAttachment: If there is none, or it is a path, or too long.
        """
        name = self.filename
        if name is None:
            source = getattr(self.content, "name", None)  # an open file knows its path
            if isinstance(self.content, os.PathLike):
                source = os.fspath(self.content)
            if not isinstance(source, str):
                raise InvalidAttachment(
                    "An attachment of bytes has no name. Give EmailAttachment(filename='report.csv', content=...)."
                )
            name = PurePath(source).name
        name = check_text("The file name of an attachment", name)
        if not name or name in (".", "..") or "/" in name or "\\" in name:
            raise InvalidAttachment(f"{name!r} cannot be the name of an attachment. Give a file name without folders.")
        if len(name.encode()) > _LONGEST_FILENAME:
            raise InvalidAttachment(
                f"The attachment name {name[:40]!r}… has more than {_LONGEST_FILENAME} bytes. Shorten it."
            )
        return name

    def guessed_type(self) -> str:
        """Return the MIME type: the given one, or what the name's ending says."""
        if self.content_type is not None:
            return self.content_type.lower()
        guessed, encoding = mimetypes.guess_type(self.name())
        if encoding is not None:
            return _COMPRESSED.get(encoding, _UNKNOWN)
        # RFC 2046, sections 5.1 and 5.2: these two must not be encoded as base64.
        if guessed is None or guessed.startswith(("multipart/", "message/")):
            return _UNKNOWN
        return guessed


AttachmentSource: TypeAlias = (
    str
    | os.PathLike[str]
    | EmailAttachment
    | Message
    | BinaryIO
    | tuple[str, bytes | str | BinaryIO]
    | tuple[str, bytes | str | BinaryIO, str]
    | Mapping[str, Any]
)
"""What can be attached: a path, an `EmailAttachment` (or a mapping of its fields), a finished MIME part, an open
binary file that knows its name, or a tuple of name, content and, optionally, MIME type."""


def _existing_file(source: str | os.PathLike[str]) -> Path:
    path = Path(source)
    try:
        if path.is_file():
            return path
        exists, is_folder = path.exists(), path.is_dir()
    except (OSError, ValueError) as exc:
        raise InvalidAttachment(f"Attachment {str(path)!r} cannot be read: {exc}.") from exc
    if is_folder:
        raise AttachmentIsFolder(
            f"Attachment {str(path)!r} is a folder. Attach its files, or an archive of it (shutil.make_archive)."
        )
    if exists:
        raise InvalidAttachment(f"Attachment {str(path)!r} is no regular file.")
    raise AttachmentNotFound(
        f"Attachment {str(path)!r} does not exist. Relative paths start at the working directory, {str(Path.cwd())!r}."
    )


def as_attachment(source: AttachmentSource) -> EmailAttachment | Message:
    """Bring one of the accepted forms into the two that are built.

    Args:
        source: What the caller gave.

    Raises:
        InvalidAttachment: If it is none of them.
    """
    if isinstance(source, (EmailAttachment, Message)):
        return source
    if isinstance(source, Mapping):
        return EmailAttachment.model_validate(dict(source))
    if isinstance(source, tuple) and len(source) in (2, 3) and isinstance(source[0], str):
        content_type = source[2] if len(source) == 3 else None
        return EmailAttachment(filename=source[0], content=source[1], content_type=content_type)
    if isinstance(source, str):
        return EmailAttachment(content=Path(source))
    if isinstance(source, os.PathLike) or hasattr(source, "read"):
        return EmailAttachment(content=cast("BinaryIO", source))
    hint = " Bytes need a name: ('report.csv', data)." if isinstance(source, bytes) else ""
    raise InvalidAttachment(
        f"Something of type {type(source).__name__} cannot be attached. Give a path, an "
        f"EmailAttachment or a tuple of name and content.{hint}"
    )


def encoded_size_bytes(source: EmailAttachment | Message) -> int:
    """Estimate, from below, what an attachment adds to a message.

    Args:
        source: The attachment.
    """
    if isinstance(source, Message):
        return 0  # in memory already; counted when the message is written
    return int(source.size_bytes() * _BASE64_GROWTH)


def _binary_part(content: bytes, content_type: str, disposition: str, name: str) -> MIMEBase:
    maintype, subtype = content_type.split("/", 1)
    part = MIMENonMultipart(maintype, subtype, policy=MAIL_POLICY)
    part["Content-Transfer-Encoding"] = "base64"
    part.set_payload(base64.encodebytes(content).decode("ascii"))
    part.add_header("Content-Disposition", disposition, filename=name)
    return part


def attachment_part(source: EmailAttachment | Message) -> Message:
    """Build the MIME part of an attachment.

    Args:
        source: The attachment.
    """
    if isinstance(source, Message):
        # Through its own wire form: each policy keeps header values in another way.
        part = message_from_bytes(source.as_bytes(), policy=MAIL_POLICY)
        del part["MIME-Version"]
        if "Content-Disposition" not in part:
            part["Content-Disposition"] = "attachment"
        return part
    return _binary_part(source.read(), source.guessed_type(), "attachment", source.name())


def _image_type(content: bytes) -> str | None:
    for signature, content_type in _IMAGE_SIGNATURES:
        if content.startswith(signature):
            return content_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if b"<svg" in content[:1024].lower():
        return "image/svg+xml"
    return None


def as_image(cid: str, source: AttachmentSource | bytes) -> EmailAttachment | Message:
    """Bring an inline image into the form that is built.

    Args:
        cid: Its content ID, which names it when nothing else does.
        source: What the caller gave.

    Raises:
        InvalidAttachment: If it is none of the accepted forms.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return EmailAttachment(filename=_safe_name(cid), content=source)
    image = as_attachment(source)
    if isinstance(image, EmailAttachment) and image.filename is None:
        is_named = isinstance(image.content, os.PathLike) or isinstance(getattr(image.content, "name", None), str)
        if not is_named:
            return image.model_copy(update={"filename": _safe_name(cid)})
    return image


def _safe_name(cid: str) -> str:
    return re.sub(r"[^\w.-]", "_", cid) or "image"


def inline_image_part(cid: str, source: EmailAttachment | Message) -> Message:
    """Build the MIME part of an image that the HTML shows as `<img src="cid:…">`.

    The type is what the bytes say; the name's ending only counts where they say nothing.

    Args:
        cid: Its content ID.
        source: The image.

    Raises:
        InvalidAttachment: If it is no image.
    """
    if isinstance(source, Message):
        part = attachment_part(source)
        if part.get_content_maintype() != "image":
            raise InvalidAttachment(
                f"Inline image {cid!r} has the type {part.get_content_type()!r}, which is no image."
            )
        del part["Content-Disposition"]
        part["Content-Disposition"] = "inline"
    else:
        content = source.read()
        name = source.name()
        content_type = source.content_type or _image_type(content) or source.guessed_type()
        if not content_type.startswith("image/"):
            raise InvalidAttachment(
                f"Inline image {cid!r} ({name!r}) is not an image of a known format. "
                "Give EmailAttachment(content=..., content_type='image/...') if it is one."
            )
        part = _binary_part(content, content_type.lower(), "inline", name)
    del part["Content-ID"]
    part["Content-ID"] = f"<{cid}>"
    return part

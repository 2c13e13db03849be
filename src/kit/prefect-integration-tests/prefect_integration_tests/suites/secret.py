"""What holds for secret blocks: what is written is read, and nothing of it is said."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from prefect_integration_tests.checks import assert_loop_is_free
from prefect_integration_tests.faces import Call

from .base import Suite

if TYPE_CHECKING:
    from prefect_integration_tests.leaks import LeakWatch


class SecretSuite(Suite):
    """Checks a `SecretBlock`.

    Attributes:
        delete_kwargs: Arguments of `delete_secret` that delete at once; `None` if it has no such
            method.
        supports_empty: Whether the service stores a secret of no bytes; if not, writing one is an
            error.
        large_bytes: Size of a large secret that the service takes; `None` if there is no sensible
            one.
        large_seconds: How long writing and reading it may take; a busy machine is allowed for.
        missing_error: What reading a secret that does not exist must raise.
    """

    delete_kwargs: ClassVar[dict[str, Any] | None] = {}
    supports_empty: ClassVar[bool] = True
    large_bytes: ClassVar[int | None] = 60_000
    large_seconds: ClassVar[float] = 30.0
    missing_error: ClassVar[type[Exception] | tuple[type[Exception], ...]] = (
        LookupError,
        FileNotFoundError,
    )

    @pytest.fixture
    @abstractmethod
    def secret(self) -> Any:
        """A secret block that names a secret which does not exist yet."""

    @abstractmethod
    def name_of(self, secret: Any) -> str:
        """Read the name of the secret, as errors must tell it.

        Args:
            secret: The block.
        """

    async def test_a_missing_secret_is_named(self, secret: Any, call: Call) -> None:
        """The fixture keeps its promise, and the error says which secret is missing."""
        with pytest.raises(self.missing_error) as caught:
            await call(secret, "read_secret")
        assert self.name_of(secret) in str(caught.value)

    async def test_what_is_written_is_read(self, secret: Any, call: Call) -> None:
        """The first write creates, the next replaces."""
        for content in (b"first", "zweiter Wört".encode(), b"3"):
            await call(secret, "write_secret", secret_data=content)
            assert await call(secret, "read_secret") == content

    async def test_binary_secrets_are_kept(self, secret: Any, call: Call) -> None:
        """All bytes are allowed, those that are no text included."""
        content = bytes(range(256))
        await call(secret, "write_secret", secret_data=content)
        assert await call(secret, "read_secret") == content

    async def test_an_empty_secret_is_kept_or_refused(self, secret: Any, call: Call) -> None:
        """No bytes are stored as such, or are an error that names the secret."""
        if self.supports_empty:
            await call(secret, "write_secret", secret_data=b"")
            assert await call(secret, "read_secret") == b""
        else:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - each service has its own
                await call(secret, "write_secret", secret_data=b"")
            assert self.name_of(secret) in str(caught.value)

    async def test_a_large_secret_is_kept(self, secret: Any, call: Call) -> None:
        """Certificates and key files fit, and masking them takes no time that anybody notices."""
        if self.large_bytes is None:
            pytest.skip("The service stores short secrets only.")
        content = bytes(number % 251 for number in range(self.large_bytes))
        start = time.monotonic()
        await call(secret, "write_secret", secret_data=content)
        assert await call(secret, "read_secret") == content
        taken = time.monotonic() - start
        assert taken <= self.large_seconds, f"{self.large_bytes} bytes took {taken:.0f} seconds."

    async def test_a_deleted_secret_is_gone(self, secret: Any, call: Call) -> None:
        """After its deletion a secret is missing, and the error names it."""
        if self.delete_kwargs is None:
            pytest.skip("The block does not delete.")
        await call(secret, "write_secret", secret_data=b"1")
        await call(secret, "delete_secret", **self.delete_kwargs)
        with pytest.raises(Exception, match=r"(?s).+") as caught:
            await call(secret, "read_secret")
        assert self.name_of(secret) in str(caught.value)

    async def test_one_face_reads_what_the_other_wrote(self, secret: Any) -> None:
        """Both faces mean the same secret."""
        sync, asynchronous = Call("sync"), Call("async")
        await sync(secret, "write_secret", secret_data=b"s")
        assert await asynchronous(secret, "read_secret") == b"s"
        await asynchronous(secret, "write_secret", secret_data=b"a")
        assert await sync(secret, "read_secret") == b"a"

    async def test_the_sync_name_can_be_awaited_on_a_loop(self, secret: Any) -> None:
        """Rule 2: inside an event loop the sync name hands out a coroutine."""
        await secret.write_secret(secret_data=b"d")
        assert await secret.read_secret() == b"d"

    async def test_a_secret_is_never_said(
        self, secret: Any, call: Call, canary: str, no_canary_leaks: LeakWatch
    ) -> None:
        """Rule 3: neither writing nor reading nor failing says what the secret is."""
        await call(secret, "write_secret", secret_data=canary.encode())
        assert await call(secret, "read_secret") == canary.encode()
        no_canary_leaks.add("repr", repr(secret))
        if self.delete_kwargs is not None:
            await call(secret, "delete_secret", **self.delete_kwargs)
            with pytest.raises(Exception, match=r"(?s).+") as caught:
                await call(secret, "read_secret")
            no_canary_leaks.add_error(caught.value)
        no_canary_leaks.check()

    async def test_the_event_loop_is_free_meanwhile(self, secret: Any) -> None:
        """Rule 8: the async face does its work elsewhere."""
        call = Call("async")

        async def write_and_read() -> None:
            await call(secret, "write_secret", secret_data=b"1")
            await call(secret, "read_secret")

        await write_and_read()  # the first use imports the SDK, which holds the interpreter
        await assert_loop_is_free(write_and_read)

"""Questions to a Prometheus server: instant vectors over its HTTP API, version 1.

An answer comes whole, within a time and a size, in the form that Prometheus documents, or a
:class:`PromqlError` says in one line why not. Redirects are not followed, so that the token goes to
no other server; the token is in no message.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from edgestill.errors import ConfigurationError, PromqlError
from edgestill.telemetry.promql_answer import Sample, read_answer

TOKEN_VARIABLE = "EDGESTILL_PROMETHEUS_TOKEN"  # noqa: S105 - the name, not the token
MOST_ANSWER_BYTES = 8 * 2**20
MOST_TOKEN_BYTES = 16 * 2**10


class PromqlServer:
    """A Prometheus server, or what speaks like one, and how to be let in."""

    def __init__(
        self,
        url: str,
        *,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """Find what is wrong with the address, the token or the certificates; ask nothing yet.

        Args:
            url: its root, with the path under which it is served, if any.
            token_file: holds a bearer token; read anew for each session, since clusters renew
                tokens. Without it the environment's EDGESTILL_PROMETHEUS_TOKEN is sent, if set.
            ca_file: PEM certificates to trust instead of the system's.
            timeout_s: within which an answer must be whole.

        Raises:
            ConfigurationError: naming the key.
        """
        self.address = _address(url)
        self.timeout_s = timeout_s
        self._token_file = token_file
        self._token()
        self._certificates = _certificates(ca_file)

    @asynccontextmanager
    async def session(self) -> AsyncIterator["PromqlSession"]:
        """Open connections for some questions.

        Raises:
            PromqlError: the token cannot be read any more.
        """
        try:
            token = self._token()
        except ConfigurationError as error:
            raise PromqlError("misconfigured", str(error)) from error
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(
            headers=headers,
            verify=self._certificates,
            timeout=self.timeout_s,
            # No proxy of the environment's leads to this machine itself.
            trust_env=self.address.host not in ("localhost", "127.0.0.1", "::1"),
        ) as client:
            yield PromqlSession(self, client, token)

    def _token(self) -> str | None:
        """Return the token; what a header cannot hold is refused here, where no error shows it."""
        if self._token_file is None:
            key, token = f"environment variable {TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE)
        else:
            key = f"allocation.prometheus_token_file: {self._token_file}"
            token = _read(self._token_file, key)
        if not token:
            return None
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise ConfigurationError(f"{key}: expected one token of printable ASCII characters")
        return token


class PromqlSession:
    """Asks one server; several questions may be under way at once."""

    def __init__(self, server: PromqlServer, client: httpx.AsyncClient, token: str | None) -> None:
        self._client = client
        self._token = token
        self._timeout_s = server.timeout_s
        root = server.address.path.rstrip("/")
        self._url = server.address.copy_with(path=f"{root}/api/v1/query")
        # Without the user and password that it may hold.
        self._where = str(server.address.copy_with(userinfo=b""))

    async def query(self, expression: str) -> tuple[Sample, ...]:
        """Return the samples of an instant vector, now by the server's clock.

        Raises:
            PromqlError: there is no such answer.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._post({"query": expression})
            return read_answer(status, body)
        except (TimeoutError, httpx.TimeoutException) as error:
            text = f"no whole answer within {self._timeout_s:g} s"
            raise self._error("timeout", text) from error
        # Not "from error": what the server wrote may hold the token.
        except httpx.HTTPError as error:
            raise self._error("unreachable", _explain(error)) from None
        except PromqlError as error:
            raise self._error(error.reason, str(error)) from None

    async def _post(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        body = bytearray()
        async with self._client.stream("POST", self._url, data=form) as answer:
            # A packed answer could unpack to any size; none was asked for.
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise PromqlError("malformed", "the answer is compressed, which was not asked for")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MOST_ANSWER_BYTES:
                    most = MOST_ANSWER_BYTES // 2**20
                    raise PromqlError("too_large", f"the answer is larger than {most} MiB")
        return answer.status_code, bytes(body)

    def _error(self, reason: str, text: str) -> PromqlError:
        """Return an error of one line, whatever the server wrote; it may even echo the token."""
        if self._token is not None:
            text = text.replace(self._token, "(token)")
        line = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
        return PromqlError(reason, f"Prometheus at {self._where}: {line[:300]}")


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
        address.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConfigurationError(f"allocation.prometheus_url: {error}") from error
    port = address.port if address.port is not None else 80
    if not (address.host and 0 < port < 2**16) or address.query or address.fragment:
        raise ConfigurationError(
            "allocation.prometheus_url: expected http(s)://HOST[:PORT][/PATH] and nothing more"
        )
    return address


def _certificates(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # an SSLError is one too
        raise ConfigurationError(
            f"allocation.prometheus_ca_file: {ca_file}: no certificates can be read "
            f"({error.strerror or error})"
        ) from error


def _read(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_TOKEN_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{key}: cannot be read ({error.strerror})") from error
    if not content.strip() or len(content) > MOST_TOKEN_BYTES:
        raise ConfigurationError(f"{key}: expected a token of 1 to {MOST_TOKEN_BYTES} bytes")
    return content.decode("latin-1").strip()


def _explain(error: httpx.HTTPError) -> str:
    text = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return f"{text}; allocation.prometheus_ca_file names the certificates to trust"
    return f"cannot be reached ({text})"

"""An HTTP server on loopback that answers as a test tells it, for clients of Prometheus."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class Handler(BaseHTTPRequestHandler):
    respond: Callable[["Handler"], None]
    asked: list["Handler"]
    form: dict[str, list[str]]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.form = parse_qs(self.rfile.read(length).decode(), keep_blank_values=True)
        self.asked.append(self)
        try:
            type(self).respond(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def give(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serve(
    respond: Callable[[Handler], None], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[Handler]]]:
    asked: list[Handler] = []
    kind = type("One", (Handler,), {"respond": staticmethod(respond), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def answers(status: int, body: object, **headers: str) -> Callable[[Handler], None]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda handler: handler.give(status, content, **headers)


def vector(*result: object, kind: str = "vector") -> dict[str, object]:
    return {"status": "success", "data": {"resultType": kind, "result": list(result)}}


def error_of(kind: str, text: str) -> dict[str, object]:
    return {"status": "error", "errorType": kind, "error": text}

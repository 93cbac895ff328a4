"""A service grows and shrinks by what a real Prometheus says, whatever its replicas would say."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
from processes import wait_until
from prometheus_server import prometheus
from serving_processes import joint_folder, replicas, serving

from edgestill.jobs.serving.signals import PrometheusQueue
from edgestill.monitoring import announced

RUN = "serve-joint-cloud"


@contextmanager
def exporter(said):
    """Show to whoever scrapes the queue that ``said`` holds; give the address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(f"edgestill_serving_queue_requests {said['queue']}\n".encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_idle_replicas_grow_and_shrink_by_what_prometheus_says(tmp_path):
    said, log, targets = {"queue": 0.0}, tmp_path / "serve.log", tmp_path / "targets"
    with (
        exporter(said) as address,
        announced(targets, RUN, address),
        prometheus(tmp_path / "prometheus", targets) as server,
        serving(
            joint_folder(tmp_path),
            log,
            *("--port", "0", "--replicas", "1:2", "--prometheus-url", server.url),
        ) as (process, _),
    ):
        queue = PrometheusQueue.of(server.url, RUN)
        wait_until(lambda: queue() == 0.0, within_s=30, what="the queue in Prometheus")
        assert len(replicas(process)) == 1

        said["queue"] = 20.0
        wait_until(lambda: len(replicas(process)) == 2, within_s=60, what="a second replica")
        assert "grow to 2 replicas: " in log.read_text()
        assert queue() > 8.0

        said["queue"] = 0.0
        wait_until(lambda: len(replicas(process)) == 1, within_s=90, what="one replica again")
        assert "shrink to 1 replicas: " in log.read_text()
    assert "Prometheus does not answer" not in log.read_text()
    assert not psutil.pid_exists(process.pid)

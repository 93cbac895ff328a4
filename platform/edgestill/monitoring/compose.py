"""The Compose file: Prometheus and Grafana beside the head of a Ray cluster."""

from typing import Any

PROMETHEUS_IMAGE = "prom/prometheus:v3.5.0"
GRAFANA_IMAGE = "grafana/grafana:11.6.0"
RAY_IMAGE = "rayproject/ray:2.60.0-py311"

COMMENT = f"""\
Prometheus and Grafana beside the head of a Ray cluster, on one machine:

  docker compose -f dashboards/compose.yaml up --build

  ray         {RAY_IMAGE} and the dependencies of pyproject.toml, not edgestill
              itself: a job brings it. Jobs and Ray's own dashboard: http://127.0.0.1:8265
  prometheus  {PROMETHEUS_IMAGE}: scrapes every run that is under way, and evaluates the rules.
              http://127.0.0.1:9090; the runs themselves reach it as http://prometheus:9090
  grafana     {GRAFANA_IMAGE}: the dashboards, for anybody to read. http://127.0.0.1:3000

All ports are published on loopback only. A run writes its target file into the volume `targets`,
where Prometheus finds it, and exports under the name `ray` in the network of these containers:

  edgestill submit jobs/configs/demo.yaml --address http://127.0.0.1:8265 \\
      --set telemetry.host=ray --set allocation.prometheus_url=http://prometheus:9090

Further nodes join with `ray start --address=HOST:6379`; publish that port for them, and only in a
network that you trust: whoever reaches it can run code.
"""

_DOCKERFILE = f"""\
FROM {RAY_IMAGE}
COPY constraints.txt pyproject.toml /tmp/edgestill/
RUN python -c "import tomllib; \\
    project = tomllib.load(open('/tmp/edgestill/pyproject.toml', 'rb'))['project']; \\
    print(*project['dependencies'], *project['optional-dependencies']['cloud'], sep='\\n')" \\
    > /tmp/requirements.txt \\
    && pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu \\
    --constraint /tmp/edgestill/constraints.txt --requirement /tmp/requirements.txt
RUN sudo mkdir -p /state/edgestill/targets && sudo chown -R ray /state
"""


def compose() -> dict[str, Any]:
    """Return the content of the Compose file; its paths are relative to ``dashboards``."""
    return {
        "name": "edgestill",
        "services": {"ray": _ray(), "prometheus": _prometheus(), "grafana": _grafana()},
        "volumes": {"targets": {}, "prometheus-data": {}, "grafana-data": {}},
    }


def _ray() -> dict[str, Any]:
    return {
        "build": {"context": "..", "dockerfile_inline": _DOCKERFILE},
        "hostname": "ray",
        "command": "ray start --head --block --dashboard-host=0.0.0.0",
        "environment": {"XDG_STATE_HOME": "/state"},
        "ports": ["127.0.0.1:8265:8265"],
        "volumes": ["targets:/state/edgestill/targets"],
        # The object store lives in shared memory; Compose gives 64 MB unless told otherwise.
        "shm_size": "2gb",
    }


def _prometheus() -> dict[str, Any]:
    return {
        "image": PROMETHEUS_IMAGE,
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=30d",
        ],
        "ports": ["127.0.0.1:9090:9090"],
        "volumes": [
            "./prometheus:/etc/prometheus:ro",
            "targets:/targets:ro",
            "prometheus-data:/prometheus",
        ],
    }


def _grafana() -> dict[str, Any]:
    return {
        "image": GRAFANA_IMAGE,
        "environment": {
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            "GF_AUTH_DISABLE_LOGIN_FORM": "true",
            "GF_USERS_DEFAULT_THEME": "system",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "1s",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "/dashboards/training.json",
        },
        "ports": ["127.0.0.1:3000:3000"],
        "volumes": [
            "./grafana:/dashboards:ro",
            "./grafana/provisioning:/etc/grafana/provisioning:ro",
            "grafana-data:/var/lib/grafana",
        ],
        "depends_on": ["prometheus"],
    }

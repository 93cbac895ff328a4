"""The manifests for Kubernetes are what KubeRay accepts, and ask for what the package needs."""

import os
import shlex
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from kuberay_schema import published_schema, used_schema

from edgestill.config import load

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "jobs" / "kuberay"
DEFINITIONS = "EDGESTILL_KUBERAY_CRDS"
"""Names a folder with KubeRay's own ray.io_rayjobs.yaml and ray.io_rayclusters.yaml, which its Helm
chart kuberay-operator has under crds/."""

FILES = {"RayJob": "ray-job.yaml", "RayCluster": "ray-cluster.yaml"}


def manifest(kind):
    documents = yaml.safe_load_all((MANIFESTS / FILES[kind]).read_text())
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def cluster_of(manifest):
    return manifest["spec"].get("rayClusterSpec", manifest["spec"])


def mistakes(document, schema):
    return [
        error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)
    ]


@pytest.mark.parametrize("kind", FILES)
def test_manifests_use_fields_that_kuberay_has(kind):
    assert mistakes(manifest(kind), used_schema(kind)) == []


def wrong_version(cluster):
    cluster["rayVersion"] = 2.6


def misspelt_field(cluster):
    container = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    container["imagee"] = container.pop("image")


def wrong_type(cluster):
    cluster["workerGroupSpecs"][0]["maxReplicas"] = "8"


def missing_name(cluster):
    del cluster["workerGroupSpecs"][0]["groupName"]


SPOILERS = (wrong_version, misspelt_field, wrong_type, missing_name)


@pytest.mark.parametrize("spoil", SPOILERS)
@pytest.mark.parametrize("kind", FILES)
def test_a_mistake_is_found(kind, spoil):
    document = manifest(kind)
    spoil(cluster_of(document))
    assert len(mistakes(document, used_schema(kind))) == 1


@pytest.mark.skipif(DEFINITIONS not in os.environ, reason=f"{DEFINITIONS} is not set")
@pytest.mark.parametrize("kind", FILES)
def test_manifests_follow_the_whole_schema_that_kuberay_publishes(kind):
    path = Path(os.environ[DEFINITIONS]) / f"ray.io_{kind.lower()}s.yaml"
    schema = published_schema(yaml.safe_load(path.read_text()))
    assert mistakes(manifest(kind), schema) == []
    for spoil in SPOILERS:
        document = manifest(kind)
        spoil(cluster_of(document))
        assert len(mistakes(document, schema)) == 1


@pytest.mark.parametrize("kind", FILES)
def test_the_clusters_ray_is_ours(kind):
    cluster = cluster_of(manifest(kind))
    assert cluster["rayVersion"] == ray.__version__
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["image"].endswith(f":{ray.__version__}")


@pytest.mark.parametrize("kind", FILES)
def test_prometheus_is_sent_to_a_port_that_is_open(kind):
    cluster = cluster_of(manifest(kind))
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        template = group["template"]
        ports = {port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
        assert int(template["metadata"]["annotations"]["prometheus.io/port"]) in ports


def test_the_job_is_one_that_the_command_line_takes():
    """Its configuration is sound, and fits the workers that it asks for."""
    job = manifest("RayJob")["spec"]
    words = shlex.split(job["entrypoint"])
    assert words[:4] == ["python", "-m", "edgestill.jobs.cli", "run"]
    overrides = [after for word, after in pairwise(words) if word == "--set"]
    config = load(ROOT / words[4], overrides)
    (group,) = job["rayClusterSpec"]["workerGroupSpecs"]
    cpus = int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert config.engine.cohorts <= group["replicas"] * cpus
    port = group["template"]["metadata"]["annotations"]["prometheus.io/port"]
    assert (config.telemetry.host, config.telemetry.port) == ("0.0.0.0", int(port))  # noqa: S104


def test_the_job_has_the_environment_of_a_plain_submission():
    plain = yaml.safe_load((ROOT / "jobs" / "runtime_env.yaml").read_text())
    environment = yaml.safe_load(manifest("RayJob")["spec"]["runtimeEnvYAML"])
    assert environment["env_vars"] == plain["env_vars"]
    for root in plain["env_vars"]["PYTHONPATH"].split(":"):
        assert (ROOT / root / "edgestill").is_dir()


def test_the_published_schema_is_read_strictly():
    """Kubernetes' own dialect of schemas, on a definition made here."""
    node = {
        "properties": {
            "count": {"type": "integer"},
            "size": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}]},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        }
    }
    schema = published_schema(
        {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": node}}]}}
    )
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"count": 1, "size": "1Gi", "free": {"any": 1}})
    assert validator.is_valid({"size": 3})
    assert not validator.is_valid({"count": "1"})
    assert not validator.is_valid({"kount": 1})

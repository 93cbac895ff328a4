"""KubeRay's resources as JSON Schema: what our manifests use of them, and the published whole."""

from typing import Any

Schema = dict[str, Any]


def _record(required: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """A field that is not declared is an error; a server would drop it in silence."""
    return {
        "type": "object",
        "properties": fields,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
QUANTITY: Schema = {"type": ["integer", "string"], "pattern": r"^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$"}
QUANTITIES: Schema = {"type": "object", "additionalProperties": QUANTITY}

CONTAINER = _record(
    ("name",),
    name=TEXT,
    image=TEXT,
    env=_list(_record(("name",), name=TEXT, value=TEXT)),
    resources=_record(requests=QUANTITIES, limits=QUANTITIES),
    ports=_list(_record(("containerPort",), containerPort=COUNT, name=TEXT)),
    volumeMounts=_list(_record(("name", "mountPath"), name=TEXT, mountPath=TEXT)),
)
POD_TEMPLATE = _record(
    metadata=_record(annotations=TEXTS),
    spec=_record(
        ("containers",),
        containers=_list(CONTAINER),
        restartPolicy={"enum": ["Always", "OnFailure", "Never"]},
        securityContext=_record(fsGroup=COUNT),
        volumes=_list(
            _record(
                ("name",),
                name=TEXT,
                persistentVolumeClaim=_record(("claimName",), claimName=TEXT),
            )
        ),
    ),
)
CLUSTER_SPEC = _record(
    ("headGroupSpec",),
    rayVersion=TEXT,
    enableInTreeAutoscaling=FLAG,
    autoscalerOptions=_record(version={"enum": ["v1", "v2"]}, idleTimeoutSeconds=COUNT),
    headGroupSpec=_record(("template",), rayStartParams=TEXTS, template=POD_TEMPLATE),
    workerGroupSpecs=_list(
        _record(
            ("groupName", "minReplicas", "maxReplicas", "template"),
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            rayStartParams=TEXTS,
            template=POD_TEMPLATE,
        )
    ),
)
JOB_SPEC = _record(
    entrypoint=TEXT,
    runtimeEnvYAML=TEXT,
    metadata=TEXTS,
    shutdownAfterJobFinishes=FLAG,
    ttlSecondsAfterFinished=COUNT,
    backoffLimit=COUNT,
    rayClusterSpec=CLUSTER_SPEC,
)


def used_schema(kind: str) -> Schema:
    """Return the fields of ray.io/v1 that our manifests use, with their types.

    Types and requirements are those of KubeRay's API reference (docs.ray.io, KubeRay 1.7).
    """
    spec = {"RayJob": JOB_SPEC, "RayCluster": CLUSTER_SPEC}[kind]
    return _record(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "ray.io/v1"},
        kind={"const": kind},
        metadata=_record(("name",), name=TEXT),
        spec=spec,
    )


def published_schema(definition: Schema) -> Schema:
    """Return the strict schema of ray.io/v1 in a CustomResourceDefinition of KubeRay's."""
    (v1,) = [v for v in definition["spec"]["versions"] if v["name"] == "v1"]
    schema: Schema = _strict(v1["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object", "required": ["name"]}
    return schema


def _strict(node: Any) -> Any:
    """Turn a structural schema into a JSON Schema that refuses fields it does not declare."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    known = {k: v for k, v in node.items() if k not in ("description", "default", "format")}
    if "properties" in known:
        known["properties"] = {name: _strict(field) for name, field in known["properties"].items()}
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            known.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties", "allOf", "anyOf", "oneOf"):
        if key in known:
            known[key] = _strict(known[key])
    return known

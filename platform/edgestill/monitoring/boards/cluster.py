"""Dashboard ``cluster``: the actors, the nodes that they run on, and the exporters."""

from edgestill.monitoring.panels import BAD, GOOD, Board, Query, Row, graph, rising, stat, timeline
from edgestill.monitoring.promql import ratio, series, sum_of
from edgestill.monitoring.rules import JOB

_NODE = "{{node}}"
_UP = f'up{{job="{JOB}",run=~"$run"}}'
_MEMORY = ratio(
    f"({series('edgestill_node_memory_bytes')} - {series('edgestill_node_free_memory_bytes')})",
    series("edgestill_node_memory_bytes"),
)
_STORE = ratio(
    series("edgestill_node_object_store_used_bytes"), series("edgestill_node_object_store_bytes")
)

_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Actors",
            description="Actors that are alive, by tier.",
            queries=(Query(sum_of("edgestill_actors", "tier"), "{{run}} {{tier}}"),),
        ),
        stat(
            title="Restarts",
            description="Actors that died and were replaced since the run began.",
            queries=(Query(sum_of("edgestill_actor_restarts_total")),),
            bounds=rising(1, 5),
        ),
        stat(
            title="Waiting devices",
            description="Devices that wait for or run in a cohort actor.",
            queries=(Query(sum_of("edgestill_cohort_queue")),),
        ),
        stat(
            title="Busiest node",
            description="CPU load of the node that has most to do.",
            queries=(Query(f"max by (run) ({series('edgestill_node_cpu_ratio')})"),),
            unit="percentunit",
            bounds=rising(0.8, 0.95),
        ),
        stat(
            title="Fullest node",
            description="Memory in use on the node that has least left.",
            queries=(Query(f"max by (run) ({_MEMORY})"),),
            unit="percentunit",
            bounds=rising(0.8, 0.95),
        ),
        stat(
            title="Fullest object store",
            description="Where it is full, Ray spills to disk.",
            queries=(Query(f"max by (run) ({_STORE})"),),
            unit="percentunit",
            bounds=rising(0.6, 0.9),
        ),
    ),
)

_POOL = Row(
    title="Pool",
    panels=(
        graph(
            title="Actors by tier",
            description="Cohorts are added and removed with the load, between "
            "engine.cohorts_min and engine.cohorts_max.",
            queries=(Query(sum_of("edgestill_actors", "tier"), "{{run}} {{tier}}"),),
            width=6,
            low=0,
            stepped=True,
        ),
        graph(
            title="Queue of each cohort",
            description="Devices that wait for or run in the actor; the pool grows where it stays "
            "long.",
            queries=(Query(series("edgestill_cohort_queue"), "{{run}} {{cohort}}"),),
            width=6,
            low=0,
        ),
        graph(
            title="Restarts and changes of the pool",
            description="Since the run began: actors replaced after they died; added; removed; "
            "states of devices lost with a node.",
            queries=(
                Query(
                    sum_of("edgestill_actor_restarts_total", "tier"), "{{run}} {{tier}} replaced"
                ),
                Query(
                    sum_of("edgestill_pool_changes_total", "tier", "action"),
                    "{{run}} {{tier}} {{action}}",
                ),
                Query(sum_of("edgestill_device_states_lost_total"), "{{run}} states lost"),
            ),
            width=6,
            low=0,
            stepped=True,
        ),
        graph(
            title="Idle in a round",
            description="Share of the cohorts' time in the last round in which they waited for the "
            "last of them; chunks that are too large or foretold badly raise it.",
            queries=(Query(series("edgestill_cohorts_idle_ratio"), "{{run}}"),),
            unit="percentunit",
            width=6,
            low=0,
            high=1,
        ),
    ),
)

_NODES = Row(
    title="Nodes",
    panels=(
        graph(
            title="CPU",
            description="Load of each node by everything that runs there.",
            queries=(Query(series("edgestill_node_cpu_ratio"), _NODE),),
            unit="percentunit",
            width=6,
            low=0,
            high=1,
            bounds=rising(0.8, 0.95),
        ),
        graph(
            title="Memory in use",
            description="Share of each node's memory. Where it is full, Ray ends workers.",
            queries=(Query(_MEMORY, _NODE),),
            unit="percentunit",
            width=6,
            low=0,
            high=1,
            bounds=rising(0.8, 0.95),
        ),
        graph(
            title="Free memory",
            description="What is at hand on each node.",
            queries=(Query(series("edgestill_node_free_memory_bytes"), _NODE),),
            unit="bytes",
            width=6,
            low=0,
        ),
        graph(
            title="Object store in use",
            description="Bytes of each node's share of the object store.",
            queries=(Query(series("edgestill_node_object_store_used_bytes"), _NODE),),
            unit="bytes",
            width=6,
            low=0,
        ),
    ),
)

_EXPORT = Row(
    title="Exporters",
    panels=(
        timeline(
            title="Exporter",
            description="Whether a run's exporter answers Prometheus.",
            queries=(Query(_UP),),
            width=8,
            states=(("down", BAD), ("up", GOOD)),
        ),
        graph(
            title="Time of a scrape",
            description="How long the exporter takes to answer.",
            queries=(Query(f'scrape_duration_seconds{{job="{JOB}",run=~"$run"}}'),),
            unit="s",
            low=0,
        ),
        graph(
            title="Samples of a scrape",
            description="How many series a run exports; those of single devices are capped by "
            "telemetry.max_device_series.",
            queries=(Query(f'scrape_samples_scraped{{job="{JOB}",run=~"$run"}}'),),
            low=0,
        ),
    ),
)

CLUSTER = Board(
    name="cluster",
    title="edgestill / Cluster",
    description="The actors, the nodes that they run on, and the exporters.",
    rows=(_NOW, _POOL, _NODES, _EXPORT),
)

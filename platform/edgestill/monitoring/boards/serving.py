"""Dashboard ``serving``: requests to the inference service, how long they take, who is refused."""

from edgestill.monitoring.panels import RUN, Board, Query, Row, graph, rising, stat
from edgestill.monitoring.promql import WINDOW, rate, ratio, series, sum_of, total
from edgestill.monitoring.rules import chosen

_REQUESTS = "edgestill_serving_requests_total"
_ERRORS = "edgestill_serving_errors_total"
_SECONDS = "edgestill_serving_request_seconds"
_BATCH = "edgestill_serving_batch_requests"
_OFFLOAD = chosen("run:edgestill_serving_offload:ratio5m")


def _quantile(share: float) -> str:
    buckets = total(f"rate({series(_SECONDS, part='bucket')}[{WINDOW}])", "le")
    return f"histogram_quantile({share:g}, {buckets})"


_NOW = Row(
    title="Now",
    panels=(
        stat(
            title="Requests",
            description="Requests per second, all replicas together.",
            queries=(Query(rate(_REQUESTS)),),
            unit="reqps",
            width=6,
        ),
        stat(
            title="99th percentile",
            description="Within this time all but one request in a hundred are answered.",
            queries=(Query(_quantile(0.99)),),
            unit="s",
            bounds=rising(0.1, 0.5),
            width=6,
        ),
        stat(
            title="Offload rate",
            description="Answers over the inputs that devices have looked at, in 5 minutes.",
            queries=(Query(_OFFLOAD),),
            unit="percentunit",
            width=6,
        ),
        stat(
            title="Queue",
            description="Requests that wait or are computed, all replicas together.",
            queries=(Query(sum_of("edgestill_serving_queue_requests")),),
            width=6,
        ),
    ),
)

_ASKED = Row(
    title="Requests",
    panels=(
        graph(
            title="Requests by status",
            description="Status 200 is an answer; 4xx are the clients' mistakes.",
            queries=(Query(rate(_REQUESTS, "status"), "{{run}} {{status}}"),),
            unit="reqps",
        ),
        graph(
            title="Refusals by reason",
            description="Why requests were refused: frame, token, model, too_large, rate, "
            "model_failed, overloaded, deadline.",
            queries=(
                Query(rate("edgestill_serving_errors_total", "reason"), "{{run}} {{reason}}"),
            ),
            unit="reqps",
        ),
        graph(
            title="Bytes of frames",
            description="What devices send, all replicas together.",
            queries=(Query(rate("edgestill_serving_received_bytes_total")),),
            unit="Bps",
        ),
    ),
)

_ANSWERS = Row(
    title="Answers",
    panels=(
        graph(
            title="Time of a request",
            description="From its head to its answer: median and 99th percentile.",
            queries=(
                Query(_quantile(0.5), f"{RUN} median"),
                Query(_quantile(0.99), f"{RUN} 99th percentile"),
            ),
            unit="s",
            low=0,
        ),
        graph(
            title="Requests in a call of the model",
            description="Mean size of a batch; it grows by itself under load.",
            queries=(
                Query(
                    ratio(rate(_BATCH, part="sum"), rate(_BATCH, part="count")),
                ),
            ),
            low=0,
        ),
        graph(
            title="Answers of a fog",
            description="easy: the fog's own; asked: the cloud's; else the fog's own, and why.",
            queries=(
                Query(rate("edgestill_serving_forwarded_total", "outcome"), "{{run}} {{outcome}}"),
            ),
            unit="reqps",
        ),
    ),
)

_DEVICES = Row(
    title="Devices and replicas",
    panels=(
        graph(
            title="Inputs of devices",
            description="What those who ask have looked at, whether or not they handed it on.",
            queries=(Query(rate("edgestill_serving_inputs_total")),),
            unit="reqps",
        ),
        graph(
            title="Offload rate of the devices",
            description="Answers over inputs, in 5 minutes; a gate that drifts shows here first.",
            queries=(Query(_OFFLOAD),),
            unit="percentunit",
            low=0,
            high=1,
        ),
        graph(
            title="Queue of each replica",
            description="Requests that wait or are computed; replicas are added where it stays "
            "long.",
            queries=(Query(series("edgestill_serving_queue_requests"), "{{run}} {{instance}}"),),
            low=0,
        ),
    ),
)

SERVING = Board(
    name="serving",
    title="edgestill / Serving",
    description="The inference service: requests, answers, refusals, and its replicas.",
    rows=(_NOW, _ASKED, _ANSWERS, _DEVICES),
)

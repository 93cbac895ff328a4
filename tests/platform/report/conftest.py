import math
from typing import Any

import pytest

LEVELS = ("high", "medium", "low", "critical")
# Each group's level in ten rounds, as indices into LEVELS.
COURSES = {
    "phones": (0, 0, 1, 3, 3, 2, 1, 0, 0, 0),
    "boards": (0,) * 10,
    "cameras": (0, 0, 0, 0, 1, 1, 1, 0, 0, 0),
    "wearables": (1, 1, 1, 2, 2, 2, 2, 2, 1, 1),
    "microcontrollers": (2, 2, 2, 2, 2, 3, 3, 2, 2, 2),
}
SIZES = {"phones": 24, "boards": 16, "cameras": 8, "wearables": 8, "microcontrollers": 8}


def _round(index: int) -> dict[str, Any]:
    rise = 1 - math.exp(-index / 2.2)
    levels = {group: LEVELS[course[index]] for group, course in COURSES.items()}
    load = 1.0 - 0.2 * COURSES["phones"][index]
    before = {group: LEVELS[course[max(index - 1, 0)]] for group, course in COURSES.items()}
    return {
        "round": index + 1,
        "accuracy": 0.42 + 0.5 * rise,
        "loss": 2.1 - 1.4 * rise,
        "selected": 64,
        "completed": 60 - index % 3,
        "late": index % 3,
        "failed": 1,
        "skipped": 3,
        "time_s": 41.0 * (index + 1),
        "duration_s": 41.0 * load,
        "wall_s": 9.5 * load,
        "uplink_bytes": {"update": int(5.1e6 * load)} | ({} if index else {"summary": 61_000}),
        "downlink_bytes": {"model": int(6.4e6 * load), "knowledge": int(2.2e6 * load)},
        "energy_j": 812.0 * load,
        "flops": 3.1e11 * load,
        "levels": levels,
        "devices_by_level": {group: {levels[group]: SIZES[group]} for group in COURSES},
        "reasons": {"phones": "cpu 0.93 above 0.90"} if COURSES["phones"][index] == 3 else {},
        "changed": [group for group in COURSES if levels[group] != before[group]],
        "loss_terms": {
            "task": 1.9 - 1.3 * rise,
            "distill": 4.2 - 3.0 * rise,
            "align": 2.6 - 0.9 * rise,
            "resource": 0.02 * COURSES["phones"][index],
        },
        "coefficients": {
            group: {
                "task": 1.0,
                "distill": 1.0 + course[index] / 3,
                "align": 0.1 * (1 - course[index] / 3),
                "resource": 0.1 * course[index] / 3,
            }
            for group, course in COURSES.items()
        },
    }


def _levels() -> dict[str, Any]:
    rows = {
        "high": ({"visual": 1.0, "audio": 1.0, "sensor": 1.0}, 1.0, 8, 61_240, 4.1e6, 0.921),
        "medium": ({"visual": 1.0, "audio": 0.5, "sensor": 1.0}, 0.75, 8, 35_022, 2.0e6, 0.899),
        "low": ({"visual": 1.0}, 0.5, 8, 6_120, 0.41e6, 0.712),
        "critical": ({"visual": 0.5}, 0.5, 4, 6_120, 0.11e6, 0.655),
    }
    keys = ("modalities", "width", "bits", "parameters", "flops_per_sample", "accuracy")
    return {
        level: dict(zip(keys, row, strict=True)) | {"bytes": row[3] * row[2] // 8}
        for level, row in rows.items()
    }


@pytest.fixture
def sample_report() -> dict[str, Any]:
    """A report with every key, as a run of ten rounds would give it."""
    rounds = [_round(index) for index in range(10)]
    public = [0.1] * 10
    private = [0.21, 0.16, 0.13, 0.11, 0.09, 0.08, 0.07, 0.06, 0.05, 0.04]
    return {
        "schema": "edgestill.report/1",
        "command": "edgestill run jobs/configs/demo.yaml --out runs/demo",
        "versions": {"python": "3.11.2", "torch": "2.13.0", "ray": "2.60.0", "flwr": "1.41.0"},
        "hardware": {
            "cpu": "Imaginary CPU @ 2.50GHz",
            "cores": 2,
            "memory_bytes": 25_276_514_304,
            "platform": "Linux-6.1-x86_64",
        },
        "name": "demo",
        "seed": 7,
        "config_digest": "0f3a9d5c71e2b846",
        "data": {
            "name": "av_digits",
            "classes": 10,
            "samples": {"public": 5_400, "validation": 900, "private": 28_000, "test": 3_600},
            "synthetic_kinds": ["sensor"],
            "devices_with_data": 63,
            "devices_without_data": 1,
        },
        "teacher": {
            "accuracy": 0.948,
            "validation_accuracy": 0.951,
            "epochs": 23,
            "parameters": 412_874,
            "flops_per_sample": 21.4e6,
            "bytes": 1_651_496,
            "wall_s": 38.2,
        },
        "student": {"levels": _levels()},
        "rounds": rounds,
        "selection": {
            "policy": "relevance",
            "classes": [str(digit) for digit in range(10)],
            "class_share": {
                "public": public,
                "private_noised": private,
                "selected": [(a + b) / 2 for a, b in zip(public, private, strict=True)],
            },
        },
        "comparisons": {
            "fedavg": {
                "accuracy": 0.861,
                "accuracy_by_round": [entry["accuracy"] - 0.055 for entry in rounds],
                "uplink_bytes": 51_000_000,
            },
            "local_only": {"accuracy": 0.487, "accuracy_low": 0.31, "accuracy_high": 0.66},
            "cloud_only": {
                "accuracy": 0.842,
                "accuracy_by_round": [0.5 + 0.342 * (i / 9) ** 0.5 for i in range(10)],
            },
        },
        "claims": [
            {
                "id": "within_5_points_of_the_teacher",
                "value": 3.6,
                "target": "<= 5",
                "unit": "points",
                "holds": True,
            },
            {
                "id": "above_federated_averaging",
                "value": 2.4,
                "target": ">= 3",
                "unit": "points",
                "holds": False,
            },
        ],
        "privacy": {
            "leaves_device": [
                {
                    "what": "summary",
                    "mechanism": "Gaussian, clipped to L2 norm 1",
                    "noise_multiplier": 1.0,
                    "releases": 1,
                    "epsilon": 4.377,
                    "delta": 1e-5,
                    "bytes": 61_000,
                },
                {
                    "what": "update",
                    "mechanism": "clipped to L2 norm 10, no noise",
                    "noise_multiplier": 0.0,
                    "releases": 10,
                    "epsilon": None,
                    "delta": 1e-5,
                    "bytes": 42_000_000,
                },
            ]
        },
        "engine": {"cohorts": 2, "fogs": 1, "actor_restarts": 1, "devices_lost": 0},
        "final": {
            "accuracy": 0.912,
            "uplink_bytes": sum(sum(entry["uplink_bytes"].values()) for entry in rounds),
            "downlink_bytes": sum(sum(entry["downlink_bytes"].values()) for entry in rounds),
            "energy_j": sum(entry["energy_j"] for entry in rounds),
            "flops": sum(entry["flops"] for entry in rounds),
            "time_s": 410.0,
        },
    }

"""What leaks, over the seeds: results, tables, charts."""

from collections.abc import Mapping, Sequence
from typing import Any

from edgestill.jobs.benchmarks.charts import Chart
from edgestill.jobs.benchmarks.form import ResultTable
from edgestill.jobs.benchmarks.intervals import Mean, mean_of
from edgestill.jobs.benchmarks.sfd.leaks.attack import Leaks
from edgestill.jobs.benchmarks.sfd.leaks.attributes import NAMES
from edgestill.jobs.benchmarks.sfd.series import series_of, shown

Told = Mapping[str, Mapping[str, Any]]

BLIND = "blind"
"""What an attacker draws who sees nothing."""


def leaks_of(dataset: str, leaks: Sequence[Leaks]) -> dict[str, Any]:
    """Return what a dataset's devices leak, over the seeds.

    ``psnr_drop_db`` is how far the pictures drawn of the summary lie below those of the features.
    """
    some = [one for one in leaks if one.dataset == dataset]
    pictures = [one.drawn["visual"].psnr_db for one in some]
    return {
        "inversion_psnr_db": {kind: _drawn(kind, some) for kind in some[0].drawn},
        "psnr_drop_db": mean_of([one["features"] - one["summary"] for one in pictures]),
        "attribute": NAMES[dataset],
        "attributes": {
            name: {
                "accuracy": mean_of([one.attributes[name].accuracy for one in some]),
                "chance": mean_of([one.attributes[name].chance for one in some]),
            }
            for name in some[0].attributes
        },
        **{f"auc_{name}": mean_of([one.auc[name] for one in some]) for name in some[0].auc},
        **{
            f"accuracy_{name}": mean_of([one.accuracy[name] for one in some])
            for name in some[0].accuracy
        },
        "summary_epsilon": some[0].summary_epsilon,
        "training_epsilon": some[0].training_epsilon,
        "update_epsilon": some[0].update_epsilon,
    }


def _drawn(kind: str, some: Sequence[Leaks]) -> dict[str, Mean]:
    drawn = [one.drawn[kind] for one in some]
    found = {name: mean_of([one.psnr_db[name] for one in drawn]) for name in drawn[0].psnr_db}
    return {**found, BLIND: mean_of([one.blind_psnr_db for one in drawn])}


def leak_tables(told: Told) -> list[ResultTable]:
    """Return inputs and attributes by what is seen, and membership by training."""
    return [_seen_table(told), _membership_table(told)]


def _seen_table(told: Told) -> ResultTable:
    rows = []
    for dataset, one in told.items():
        drawn, attributes = one["inversion_psnr_db"], one["attributes"]
        for name in (*attributes, BLIND):
            found = attributes.get(name)
            rows.append(
                (
                    dataset,
                    _words(name),
                    *(_psnr(kind, name) for kind in drawn.values()),
                    "" if found is None else shown(found["accuracy"]),
                    "" if found is None else shown(found["chance"]),
                )
            )
    columns = ("dataset", "seen", "picture, PSNR dB", "sound, PSNR dB", "attribute", "by chance")
    names = "; ".join(f"{dataset}: {one['attribute']}" for dataset, one in told.items())
    return ResultTable(title=f"what leaks; attribute of {names}", columns=columns, rows=rows)


def _psnr(found: Mapping[str, Mean], name: str) -> str:
    if name == "raw":
        return "the input"
    return shown(found[name], 1) if name in found else ""


def _membership_table(told: Told) -> ResultTable:
    columns = (
        *("dataset", "AUC plain", "AUC private", "epsilon training"),
        *("accuracy plain", "accuracy private", "epsilon summary", "epsilon update"),
    )
    rows = [
        (
            dataset,
            *(shown(one[f"auc_{name}"]) for name in ("plain", "private")),
            f"{one['training_epsilon']:.2f}",
            *(shown(one[f"accuracy_{name}"]) for name in ("plain", "private")),
            f"{one['summary_epsilon']:.2f}",
            f"{one['update_epsilon']:.2f}",
        )
        for dataset, one in told.items()
    ]
    return ResultTable(title="who was there: membership", columns=columns, rows=rows)


def leak_charts(told: Told) -> list[Chart]:
    """Return inversion by modality, attributes by dataset, and membership."""
    kinds = {kind: None for one in told.values() for kind in one["inversion_psnr_db"]}
    return [
        *(_inversion(kind, told) for kind in kinds),
        *(_attributes(dataset, one) for dataset, one in told.items()),
        _membership(told),
    ]


def _inversion(kind: str, told: Told) -> Chart:
    of_kind = {dataset: one["inversion_psnr_db"][kind] for dataset, one in told.items()}
    names = list(next(iter(of_kind.values())))
    return Chart(
        title=f"Inversion: {kind} inputs drawn from what is seen",
        caption="Decoders trained on public pairs. What leaves a device under SFD is the summary.",
        x_label="dataset",
        y_label="PSNR, dB",
        series=[
            series_of(_words(name), list(of_kind), [one[name] for one in of_kind.values()])
            for name in names
        ],
        kind="bars",
    )


def _attributes(dataset: str, one: Mapping[str, Any]) -> Chart:
    found = one["attributes"]
    places = [_words(name) for name in found]
    return Chart(
        title=f"{dataset}: the user's {one['attribute']}, inferred",
        caption="Raw inputs and features are of single samples; summaries and updates, of one "
        "round, are of devices with samples of one user. Epsilon of a sample in the private "
        f"update: {one['update_epsilon']:.2f}, in the summary: {one['summary_epsilon']:.2f}.",
        x_label="what is seen",
        y_label="accuracy, 0 to 1",
        series=[
            series_of(name, places, [each[key] for each in found.values()])
            for name, key in (("attacker", "accuracy"), ("chance", "chance"))
        ],
        kind="bars",
    )


def _membership(told: Told) -> Chart:
    epsilons = ", ".join(f"{name} {one['training_epsilon']:.2f}" for name, one in told.items())
    return Chart(
        title="Membership with and without differential privacy",
        caption=f"Epsilon of the private training: {epsilons}, at delta 1e-5; 0.5 is chance.",
        x_label="dataset",
        y_label="AUC",
        series=[
            series_of(name, list(told), [one[f"auc_{name}"] for one in told.values()])
            for name in ("plain", "private")
        ],
        kind="bars",
    )


def _words(name: str) -> str:
    return name.replace("features_", "features at ").replace("_", " ")

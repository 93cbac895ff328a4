"""From our values to Grafana's: one function for each kind of panel."""

from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.builders import common as make_common
from grafana_foundation_sdk.builders import dashboard as make
from grafana_foundation_sdk.builders import (
    heatmap,
    prometheus,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders import stat as single
from grafana_foundation_sdk.builders import table as rows
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from edgestill.monitoring.panels import Bounds, Kind, Panel, Query

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="$datasource")
_COLUMN_ORDER = ("run", "group", "profile", "level")

Builder = Any
"""One of the SDK's builders of panels: they share their methods, but no base that says so."""


def draw(panel: Panel, identity: int) -> Builder:
    """Return the SDK's builder of a panel.

    Args:
        panel: what to draw.
        identity: distinct within the dashboard.
    """
    builder = _KINDS[panel.kind](panel)
    builder.id(identity).title(panel.title).description(panel.description).datasource(SOURCE)
    builder.span(panel.width).height(panel.height).unit(panel.unit)
    for place, query in enumerate(panel.queries):
        builder.with_target(_target(panel.kind, query, chr(ord("A") + place)))
    for value, method in (
        (panel.decimals, builder.decimals),
        (panel.low, builder.min),
        (panel.high, builder.max),
        (panel.absent, builder.no_value),
    ):
        if value is not None:
            method(value)
    return builder


def _target(kind: Kind, query: Query, letter: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(letter).expr(query.expression).datasource(SOURCE)
    if kind == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    if kind == "heatmap":
        return target.range().format(PromQueryFormat.HEATMAP).legend_format(query.legend)
    return target.range().legend_format(query.legend)


def _stat(panel: Panel) -> Builder:
    reduce = make_common.ReduceDataOptions().calcs(["lastNotNull"])
    coloured = bool(panel.bounds.steps)
    return (
        single.Panel()
        .reduce_options(reduce)
        .color_mode(common.BigValueColorMode.VALUE if coloured else common.BigValueColorMode.NONE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .text_mode(common.BigValueTextMode.AUTO)
        .color_scheme(make.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(_thresholds(panel.bounds))
    )


def _graph(panel: Panel) -> Builder:
    legend = (
        make_common.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    style = common.GraphThresholdsStyleMode
    steps = common.LineInterpolation
    return (
        timeseries.Panel()
        .legend(legend)
        .tooltip(_tooltip())
        .line_width(1)
        .fill_opacity(25 if panel.stacked else 0)
        .line_interpolation(steps.STEP_AFTER if panel.stepped else steps.LINEAR)
        .show_points(common.VisibilityMode.AUTO)
        .stacking(make_common.StackingConfig().mode(_stacking(panel)))
        .color_scheme(make.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .thresholds(_thresholds(panel.bounds))
        .thresholds_style(
            make_common.GraphThresholdsStyleConfig().mode(
                style.DASHED if panel.bounds.steps else style.OFF
            )
        )
    )


def _timeline(panel: Panel) -> Builder:
    named = {
        str(value): dashboard.ValueMappingResult(text=text, color=colour, index=value)
        for value, (text, colour) in enumerate(panel.states)
    }
    return (
        statetimeline.Panel()
        .mappings([dashboard.ValueMap(options=named)])
        .show_value(common.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.8)
        .line_width(0)
        .fill_opacity(85)
        .tooltip(_tooltip())
        .color_scheme(make.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    )


def _heatmap(panel: Panel) -> Builder:
    del panel
    return (
        heatmap.Panel()
        .calculate(False)
        .color(heatmap.HeatmapColorOptions().scheme("Blues"))
        .y_axis(heatmap.YAxisConfig().unit("s"))
        .show_y_histogram()
    )


def _table(panel: Panel) -> Builder:
    builder = rows.Panel().show_header(True).cell_height(common.TableCellHeight.SM)
    for query in panel.queries:
        builder.override_by_name(query.legend, _column(query))
    columns = {f"Value #{chr(ord('A') + n)}": query.legend for n, query in enumerate(panel.queries)}
    if len(panel.queries) == 1:
        columns["Value"] = panel.queries[0].legend  # Grafana numbers several only.
    order = {name: place for place, name in enumerate((*_COLUMN_ORDER, *columns))}
    builder.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    return builder.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {"Time": True},
                "indexByName": order,
                "renameByName": {**columns, **{name: name.title() for name in _COLUMN_ORDER}},
            },
        )
    )


def _column(query: Query) -> list[dashboard.DynamicConfigValue]:
    properties = [dashboard.DynamicConfigValue(id_val="unit", value=query.unit)]
    if query.bounds.steps:
        cell = {"type": "color-text"}
        properties += [
            dashboard.DynamicConfigValue(
                id_val="thresholds", value=_thresholds(query.bounds).build()
            ),
            dashboard.DynamicConfigValue(id_val="custom.cellOptions", value=cell),
        ]
    return properties


def _thresholds(bounds: Bounds) -> make.ThresholdsConfig:
    steps = [dashboard.Threshold(value=None, color=bounds.base)]
    steps += [dashboard.Threshold(value=value, color=colour) for value, colour in bounds.steps]
    return make.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _stacking(panel: Panel) -> common.StackingMode:
    return common.StackingMode.NORMAL if panel.stacked else common.StackingMode.NONE


def _tooltip() -> make_common.VizTooltipOptions:
    several = common.TooltipDisplayMode.MULTI
    return make_common.VizTooltipOptions().mode(several).sort(common.SortOrder.DESCENDING)


_KINDS: dict[Kind, Callable[[Panel], Builder]] = {
    "stat": _stat,
    "graph": _graph,
    "timeline": _timeline,
    "table": _table,
    "heatmap": _heatmap,
}

"""The page itself: where everything stands, and what follows the run.

Tables are HTML made by ``tables`` with everything escaped; charts, tabs and the filter of the log
are NiceGUI's own elements. Nothing here changes the run: the filter is the only thing to operate.
"""

from collections.abc import Callable
from importlib.resources import files

from nicegui import ui

from edgestill.page import charts, heading, tables
from edgestill.page.view import RunView, matching

Fragment = Callable[[RunView], str]

FRAGMENTS: dict[str, Fragment] = {
    "headline": heading.headline,
    "stages": heading.stages,
    "tiles": heading.tiles,
    "fleet": tables.fleet,
    "decisions": tables.decisions,
    "rounds": tables.rounds,
    "privacy": tables.privacy,
    "engine": tables.engine,
}
_LEVELS = {"INFO": "all", "WARNING": "warnings", "ERROR": "errors"}


class Screen:
    """One browser's page.

    Args:
        view: what to show at first.
    """

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._fragments: dict[str, ui.html] = {}
        self._charts: dict[str, ui.echart] = {}
        ui.add_css((files("edgestill.page") / "assets" / "live.css").read_text(encoding="utf-8"))
        with ui.element("div").classes("live"):
            self._top()
            self._learning()
            with _section("fleet", "Fleet"):
                self._scrolled("fleet", "Groups of the fleet")
            with ui.element("div").classes("columns"):
                self._events()
                self._side()
        self.show(view)

    def show(self, view: RunView) -> None:
        """Show the run as it stands; what has not changed is not sent."""
        self._view = view
        self._status.text = heading.status(view)
        for name, element in self._fragments.items():
            element.content = str(FRAGMENTS[name](view))
        for chart in charts.CHARTS:
            self._draw(chart)
        self._show_log()

    def _draw(self, chart: charts.Chart) -> None:
        element, made = self._charts[chart.key], charts.options(chart, self._view)
        if made != element.options:
            element.options.clear()
            element.options.update(made)
            element.props["aria-label"] = charts.spoken(chart, self._view)
            element.update()

    def _top(self) -> None:
        with ui.element("header"):
            self._fragment("headline")
            self._status = ui.label().classes("status").props('role=status aria-live="polite"')
            self._fragment("stages")
        self._fragment("tiles")

    def _learning(self) -> None:
        with _section("learning", "Learning"), ui.element("div").classes("charts"):
            for chart in charts.CHARTS:
                with ui.element("figure"):
                    ui.html(chart.title, tag="h3")
                    drawn = ui.echart({}, renderer="svg").classes("chart").props("role=img")
                    self._charts[chart.key] = drawn

    def _events(self) -> None:
        with _section("events", "Decisions, log and rounds"):
            with ui.tabs().props("dense no-caps align=left") as tabs:
                chosen = ui.tab("decisions", "Decisions")
                ui.tab("log", "Log")
                ui.tab("rounds", "Rounds")
            with ui.tab_panels(tabs, value=chosen, animated=False).props("keep-alive"):
                with ui.tab_panel("decisions"):
                    self._scrolled("decisions", "The last decisions")
                with ui.tab_panel("log"):
                    self._log()
                with ui.tab_panel("rounds"):
                    self._scrolled("rounds", "The last rounds")

    def _log(self) -> None:
        with ui.element("div").classes("filters"):
            self._text = ui.input("Filter", placeholder="words, device=17, stage=round")
            self._text.props("dense outlined clearable stack-label debounce=200")
            self._level = ui.toggle(_LEVELS, value="INFO").props("dense no-caps unelevated")
        self._text.on_value_change(self._show_log)
        self._level.on_value_change(self._show_log)
        with _scroller("Lines of the log"):
            self._lines = ui.html(sanitize=False).classes("log")

    def _show_log(self) -> None:
        text, level = self._text.value or "", self._level.value
        self._lines.content = str(tables.log(matching(self._view.lines, text, level)))

    def _side(self) -> None:
        with ui.element("div").classes("side"):
            with _section("privacy", "Privacy spent"):
                self._fragment("privacy")
            with _section("engine", "Engine"):
                self._fragment("engine")

    def _scrolled(self, name: str, label: str) -> None:
        with _scroller(label):
            self._fragment(name)

    def _fragment(self, name: str) -> None:
        # Escaped where it is made; the sanitizer of the browser would drop nothing more.
        self._fragments[name] = ui.html(sanitize=False).classes(name)


def _section(key: str, title: str) -> ui.element:
    section = ui.element("section").props(f'aria-labelledby="title-{key}"').classes(key)
    with section:
        ui.html(title, tag="h2").props(f'id="title-{key}"')
    return section


def _scroller(label: str) -> ui.element:
    # Focusable, so that it can be scrolled by keyboard; it outlives what is shown in it.
    scroller = ui.element("div").classes("scroller")
    return scroller.props(f'tabindex=0 role=region aria-label="{label}"')

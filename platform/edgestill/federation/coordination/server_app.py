"""Flower's ServerApp of a federation: the coordinator's rounds over whatever grid it is given."""

from collections.abc import Callable

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from edgestill.federation.coordination.checkpoint import Checkpoint
from edgestill.federation.coordination.coordinator import Coordinator
from edgestill.federation.coordination.surroundings import Surroundings


def make_server_app(
    surroundings: Surroundings,
    *,
    resume_from: Checkpoint | None = None,
    on_finished: Callable[[Coordinator], None],
) -> ServerApp:
    """Build the app; ``on_finished`` gets the coordinator after the last round."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        del context
        coordinator = Coordinator(grid, surroundings)
        coordinator.run(resume_from)
        on_finished(coordinator)

    return app

"""What the server does."""

from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.serverapp import ServerApp

from logreg.task import get_params, make_model


def weighted(metrics):
    total = sum(examples for examples, _ in metrics)
    return {"accuracy": sum(examples * m["accuracy"] for examples, m in metrics) / total}


def server_fn(context: Context):
    model = make_model(context.run_config["penalty"], context.run_config["local-epochs"])
    strategy = FedAvg(
        min_available_clients=context.run_config["min-available-clients"],
        initial_parameters=ndarrays_to_parameters(get_params(model)),
        on_fit_config_fn=lambda server_round: {"server_round": server_round},
        evaluate_metrics_aggregation_fn=weighted,
    )
    config = ServerConfig(num_rounds=context.run_config["num-server-rounds"])
    return ServerAppComponents(strategy=strategy, config=config)


app = ServerApp(server_fn=server_fn)

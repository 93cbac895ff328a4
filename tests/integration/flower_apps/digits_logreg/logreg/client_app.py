"""What a device does."""

import warnings

from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Context
from sklearn.metrics import log_loss

from logreg.task import get_params, load_data, make_model, set_params


class Client(NumPyClient):
    """Fits on its own samples."""

    def __init__(self, model, x_train, x_test, y_train, y_test):
        self.model = model
        self.x_train, self.x_test = x_train, x_test
        self.y_train, self.y_test = y_train, y_test

    def fit(self, parameters, config):
        set_params(self.model, parameters)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.fit(self.x_train, self.y_train)
        return get_params(self.model), len(self.x_train), {"round": config["server_round"]}

    def evaluate(self, parameters, config):
        set_params(self.model, parameters)
        loss = log_loss(self.y_test, self.model.predict_proba(self.x_test), labels=range(10))
        return loss, len(self.x_test), {"accuracy": self.model.score(self.x_test, self.y_test)}


def client_fn(context: Context):
    data = load_data(context.node_config["partition-id"], context.node_config["num-partitions"])
    model = make_model(context.run_config["penalty"], context.run_config["local-epochs"])
    return Client(model, *data).to_client()


app = ClientApp(client_fn=client_fn)

"""Model and data."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

CLASSES, FEATURES = 10, 64


def load_data(partition_id: int, num_partitions: int):
    """Return a device's training and test samples."""
    images, labels = load_digits(return_X_y=True)
    images, labels = images[partition_id::num_partitions] / 16, labels[partition_id::num_partitions]
    cut = int(0.8 * len(labels))
    return images[:cut], images[cut:], labels[:cut], labels[cut:]


def make_model(penalty: str, local_epochs: int) -> LogisticRegression:
    """Return a model that goes on from its weights."""
    model = LogisticRegression(
        C=1.0 if penalty == "l2" else np.inf, max_iter=local_epochs, warm_start=True
    )
    return set_params(model, [np.zeros((CLASSES, FEATURES)), np.zeros(CLASSES)])


def get_params(model: LogisticRegression):
    """Return the weights."""
    return [model.coef_, model.intercept_]


def set_params(model: LogisticRegression, params) -> LogisticRegression:
    """Set the weights."""
    model.coef_, model.intercept_ = params
    model.classes_ = np.arange(CLASSES)
    return model

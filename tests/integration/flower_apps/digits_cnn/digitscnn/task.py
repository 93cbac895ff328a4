"""Model, data and training."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    """Two convolutions and a linear layer on 8 x 8 grey images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.out = nn.Linear(16 * 2 * 2, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.out(x.flatten(1))


_digits = None


def load_data(partition_id: int, num_partitions: int, samples: int) -> DataLoader:
    """Return a device's own samples."""
    global _digits
    if _digits is None:
        images, labels = load_digits(return_X_y=True)
        _digits = (
            torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16,
            torch.tensor(labels),
        )
    images, labels = _digits
    rows = torch.arange(partition_id, partition_id + samples * num_partitions, num_partitions)
    rows = rows % len(labels)
    return DataLoader(TensorDataset(images[rows], labels[rows]), batch_size=16, shuffle=True)


def train(net: Net, data: DataLoader, epochs: int, learning_rate: float) -> float:
    """Train and return the mean loss."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=0.9)
    total, steps = 0.0, 0
    net.train()
    for _ in range(epochs):
        for images, labels in data:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            total, steps = total + loss.item(), steps + 1
    return total / steps


@torch.no_grad()
def test(net: Net, data: DataLoader) -> tuple[float, float]:
    """Return loss and accuracy."""
    net.eval()
    loss, right = 0.0, 0
    for images, labels in data:
        outputs = net(images)
        loss += nn.functional.cross_entropy(outputs, labels, reduction="sum").item()
        right += int((outputs.argmax(1) == labels).sum())
    return loss / len(data.dataset), right / len(data.dataset)

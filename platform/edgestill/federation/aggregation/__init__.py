"""From many updates to one model: sums, and Flower's strategies over them."""

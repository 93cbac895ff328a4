"""Prometheus and Grafana beside a run: configuration, rules, dashboards, target files."""

"""Rules and configuration by promtool: they check, and their unit tests pass and can fail."""

import shutil
import subprocess

import pytest
import yaml
from grafana_expressions import DASHBOARDS, RULES
from prometheus_server import binary

from edgestill.monitoring.rules import ALERTS, RECORDINGS

PROMETHEUS = DASHBOARDS / "prometheus"


def promtool(*arguments):
    command = [binary("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_configuration_checks():
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS) + len(RECORDINGS)} rules found" in done.stdout


def test_the_unit_tests_of_the_rules_pass():
    done = promtool("test", "rules", PROMETHEUS / "tests" / "edgestill.yml")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("alert", [alert.name for alert in ALERTS])
def test_the_unit_tests_find_each_alert_that_never_fires(tmp_path, alert):
    shutil.copytree(PROMETHEUS, tmp_path / "prometheus")
    path = tmp_path / "prometheus" / "rules" / RULES.name
    content = yaml.safe_load(path.read_text())
    (rule,) = [
        rule for group in content["groups"] for rule in group["rules"] if rule.get("alert") == alert
    ]
    rule["expr"] = f"({rule['expr']}) unless on () vector(1)"
    path.write_text(yaml.safe_dump(content))
    done = promtool("test", "rules", tmp_path / "prometheus" / "tests" / "edgestill.yml")
    assert done.returncode != 0
    assert alert in done.stdout + done.stderr


def test_every_alert_names_a_dashboard_and_says_what_to_do():
    for alert in ALERTS:
        assert (DASHBOARDS / "grafana" / f"{alert.board}.json").is_file()
        assert "{{ $labels.run }}" in alert.summary
        assert len(alert.description) > 40

"""What the commands say of a configuration whose signals are wrong, before anything is begun."""

import pytest

from edgestill.config import dump
from edgestill.jobs import cli


@pytest.fixture
def complain(tiny_config, tmp_path, monkeypatch, capsys):
    """Run a command on a configuration with one key overridden, and give what it complains of."""
    path = tmp_path / "run.yaml"
    path.write_text(dump(tiny_config()))
    monkeypatch.chdir(tmp_path)

    def complain(command, *overrides):
        arguments = [part for one in overrides for part in ("--set", one)]
        monkeypatch.setattr("sys.argv", ["edgestill", command, str(path), *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert not (tmp_path / "runs").exists()
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return complain


@pytest.mark.parametrize("command", ["validate", "run"])
def test_an_expression_that_does_not_parse_is_named_with_its_place(complain, command):
    line = complain(command, "allocation.signals.cpu_ratio=avg by (group) (x")
    assert line.startswith("edgestill: allocation.signals.cpu_ratio: line 1, column 18: ")
    line = complain(command, "allocation.signals.battery_ratio=rate(x)")
    assert line.startswith("edgestill: allocation.signals.battery_ratio: line 1, column ")


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_token_or_certificates_that_are_not_there_are_named(complain, command):
    server = "allocation.prometheus_url=https://127.0.0.1:9"
    line = complain(command, server, "allocation.prometheus_token_file=no-token")
    assert "allocation.prometheus_token_file: " in line
    assert "no-token: cannot be read" in line
    line = complain(command, server, "allocation.prometheus_ca_file=no-ca")
    assert "allocation.prometheus_ca_file: " in line


def test_an_address_that_is_none_is_named(complain):
    for url in ("http://127.0.0.1:99999", "127.0.0.1:9090", "http://127.0.0.1/graph?g0=up"):
        assert "allocation.prometheus_url: " in complain(
            "validate", f"allocation.prometheus_url={url}"
        )

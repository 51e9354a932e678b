"""Image, composition and workflow agree with the package. No container runs here."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "gate.yml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions(name: str) -> list[str]:
    """What follows ``name`` in each such line of the Dockerfile's last stage."""
    stage = re.split(r"^FROM .*$", DOCKERFILE, flags=re.M)[-1]
    return re.findall(rf"^{name}\s+(.*)$", stage, flags=re.M)


def options_of(*command: str) -> str:
    pytest.importorskip("pykka", reason="needs the extra 'app'")
    from workbench.cli import app

    result = CliRunner(env={"COLUMNS": "300", "TERM": "dumb"}).invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize(
    "words", [json.loads(instructions("CMD")[-1]), COMPOSE["services"]["server"]["command"]]
)
def test_the_server_is_started_with_options_that_it_has(words):
    assert json.loads(instructions("ENTRYPOINT")[0]) == [next(iter(PROJECT["scripts"]))]
    shown = options_of(words[0])
    options = [word.partition("=")[0] for word in words if word.startswith("--")]
    assert "--host" in options
    assert [option for option in options if option not in shown] == []


def test_the_image_is_not_root_s_and_asks_for_its_health():
    from workbench.service.metrics import HEALTH
    from workbench.ui import DEFAULT_PORT

    assert int(instructions("USER")[0]) > 0
    assert instructions("EXPOSE") == [str(DEFAULT_PORT)]
    assert f"http://127.0.0.1:{DEFAULT_PORT}{HEALTH}" in instructions("HEALTHCHECK")[0]
    assert instructions("VOLUME") == ["/data"]


def test_the_image_has_extras_that_exist_and_a_python_that_is_supported():
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert {"app", "postgresql"} <= set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert set(re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, flags=re.M)) == {"3.11"}


def test_services_are_shut_in_and_keep_their_data():
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert any(mount.split(":")[0] in COMPOSE["volumes"] for mount in service["volumes"]), name
        assert not service.get("privileged"), name
    server = COMPOSE["services"]["server"]
    assert server["depends_on"]["database"]["condition"] == "service_healthy"
    assert "healthcheck" in COMPOSE["services"]["database"]
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    assert "ports" not in COMPOSE["services"]["database"]


def test_no_password_is_written_down():
    for service in COMPOSE["services"].values():
        for name, value in service["environment"].items():
            assert "PASSWORD" not in name or value.startswith("${POSTGRES_PASSWORD:?"), name


def test_the_gate_runs_on_every_python_that_is_supported():
    versions = WORKFLOW["jobs"]["gate"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    classified = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert classified == versions
    steps = [step.get("run", "") for step in WORKFLOW["jobs"]["gate"]["steps"]]
    assert "bash .ci/run" in steps
    assert (ROOT / ".ci" / "run").is_file()

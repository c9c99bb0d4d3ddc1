"""The image, the compose file and the workflow, checked by reading: nothing here starts them."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.queue import LANES
from core.settings import Settings
from tests.repository_files import ROOT

_COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
_DOCKERFILE = (ROOT / "Dockerfile").read_text()
_EXAMPLE = (ROOT / ".env.example").read_text()
_SERVERS = {"postgres": "postgres:18.", "redis": "redis:", "rabbitmq": "rabbitmq:"}
_OURS = sorted(_SERVICES.keys() - _SERVERS.keys())
# These answer somebody, so somebody can ask whether they are well.
_ANSWERING = [*_SERVERS, "api", "ingest", "console", "sandbox"]
_VARIABLE = re.compile(r"\bCARILLON_[A-Z_]+")
_PINNED = re.compile(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)*")


def _environment(service: str) -> dict[str, Any]:
    return _SERVICES[service].get("environment") or {}


def _command(service: str) -> list[str]:
    command = _SERVICES[service]["command"]
    assert all(isinstance(word, str) for word in command), "a word that is no text"
    return list(command)


def test_every_process_of_the_architecture_is_there() -> None:
    workers = {f"worker-{lane}" for lane in LANES}
    others = {"api", "ingest", "scheduler", "console", "sandbox", "migrate"}

    assert _SERVICES.keys() == {*_SERVERS, *workers, *others}


@pytest.mark.parametrize("lane", LANES)
def test_each_lane_has_a_worker_that_takes_nothing_else(lane: str) -> None:
    assert _command(f"worker-{lane}") == ["python", "-m", "api.worker", lane]


@pytest.mark.parametrize(("service", "image"), _SERVERS.items())
def test_servers_have_one_exact_version(service: str, image: str) -> None:
    assert _SERVICES[service]["image"].startswith(image)
    assert _PINNED.fullmatch(_SERVICES[service]["image"])


@pytest.mark.parametrize("service", _ANSWERING)
def test_who_answers_has_a_health_check(service: str) -> None:
    check = _SERVICES[service]["healthcheck"]

    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= check.keys()


@pytest.mark.parametrize("service", _SERVICES)
def test_nobody_waits_for_the_health_of_who_can_not_tell(service: str) -> None:
    for name, waiting in (_SERVICES[service].get("depends_on") or {}).items():
        if name == "migrate":
            assert waiting["condition"] == "service_completed_successfully"
        else:
            assert waiting["condition"] == "service_healthy"
            assert "healthcheck" in _SERVICES[name]


@pytest.mark.parametrize(
    "service", ["api", "ingest", "scheduler", *(f"worker-{lane}" for lane in LANES)]
)
def test_processes_start_on_a_migrated_database(service: str) -> None:
    assert "migrate" in _SERVICES[service]["depends_on"]
    assert "postgres" in _SERVICES["migrate"]["depends_on"]


def test_the_sandbox_starts_only_when_asked_for() -> None:
    assert [name for name in _SERVICES if _SERVICES[name].get("profiles")] == ["sandbox"]


@pytest.mark.parametrize("service", _OURS)
def test_our_processes_have_no_privileges(service: str) -> None:
    assert _SERVICES[service]["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in _SERVICES[service]["security_opt"]
    assert not _SERVICES[service].get("privileged")


@pytest.mark.parametrize("service", _SERVICES)
def test_only_this_machine_reaches_what_is_published(service: str) -> None:
    ports = _SERVICES[service].get("ports", [])

    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not (ports and service in _SERVERS)


def test_every_named_volume_and_network_is_declared() -> None:
    for service in _SERVICES.values():
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in _COMPOSE["volumes"]
        assert set(service.get("networks", [])) <= _COMPOSE["networks"].keys()
    assert _COMPOSE["networks"]["data"]["internal"] is True


@pytest.mark.parametrize("service", _SERVICES)
def test_no_secret_stands_in_the_file(service: str) -> None:
    for name, value in _environment(service).items():
        if re.search(r"PASS|SECRET|TOKEN", name):
            assert re.fullmatch(r"\$\{\w+:\?.+\}", value), name
        login = re.search(r"://[^/@:]*:([^@]+)@", value or "")
        assert not login or re.fullmatch(r"\$\{\w+:\?.+\}", login[1]), name


def test_every_value_that_must_be_set_is_in_the_example_and_empty_there() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text()))

    assert demanded == set(re.findall(r"^(\w+)=$", _EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize(
    "path", ["docker-compose.yml", ".env.example", "Dockerfile", "docs/how-to/compose.md"]
)
def test_every_variable_is_a_setting(path: str) -> None:
    used = set(_VARIABLE.findall((ROOT / path).read_text()))
    known = {f"CARILLON_{name.upper()}" for name in Settings.model_fields}

    # The console knows no settings of ours; a bare prefix is prose.
    assert used - known - {"CARILLON_CONSOLE_API_URL", "CARILLON_"} == set()


def test_what_the_example_offers_reaches_the_processes() -> None:
    offered = set(re.findall(r"^#? ?(CARILLON_\w+)=", _EXAMPLE, re.MULTILINE))

    assert offered <= _environment("api").keys()
    assert _environment("api") == _environment("worker-campaign") == _environment("scheduler")


def test_the_lanes_are_quorum_queues() -> None:
    # core.queue declares quorum queues for every amqp address.
    assert _environment("api")["CARILLON_BROKER_URL"].startswith("amqp://")


def test_every_module_that_is_started_exists() -> None:
    for service in _OURS:
        command = _command(service)
        modules = [word for word in command if re.fullmatch(r"(api|delivery)(\.\w+)+(:\w+)?", word)]
        files = [word for word in command if word.endswith(".py")]
        assert modules or files, service
        for module in modules:
            place = ROOT / module.partition(":")[0].replace(".", "/")
            assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
        assert all((ROOT / file).exists() for file in files)


def test_uploads_reach_the_worker_that_imports_them() -> None:
    folder = "imports:/var/lib/carillon/imports"
    services = _COMPOSE["services"]

    assert folder in services["api"]["volumes"]
    assert folder in services["worker-maintenance"]["volumes"]
    assert folder.partition(":")[2] in _DOCKERFILE


def test_the_image_runs_as_an_ordinary_user() -> None:
    users = re.findall(r"^USER (\S+)$", _DOCKERFILE, re.MULTILINE)

    assert users
    assert not re.match(r"(root|0)\b", users[-1])
    assert _DOCKERFILE.index(f"USER {users[-1]}") > _DOCKERFILE.rindex("\nRUN ")


def test_the_image_installs_the_lock_by_its_hashes() -> None:
    assert "COPY requirements.txt" in _DOCKERFILE
    assert re.search(
        r"pip install (?:[^\n]*\\\n)*[^\n]*--require-hashes -r \S*requirements\.txt", _DOCKERFILE
    )
    assert len(re.findall(r"pip install", _DOCKERFILE)) == 1


def test_the_image_starts_from_exact_versions_and_a_supported_python() -> None:
    images = re.findall(r"^FROM (\S+)", _DOCKERFILE, re.MULTILINE)
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert len(set(images)) == 1
    assert _PINNED.fullmatch(images[0])
    assert supported == ">=3.11,<3.15"
    assert re.match(r"python:3\.1[1-4]\.", images[0])


def test_the_image_holds_every_folder_of_the_product_and_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]

    assert "*" in lines
    # Benchmarks need what only a checkout has.
    assert {line[1:] for line in lines if line.startswith("!")} == {
        *(set(packages) - {"bench"}),
        "requirements.txt",
        "LICENSE",
    }


def test_the_workflow_runs_the_whole_proof_on_a_plain_system() -> None:
    jobs = _WORKFLOW["jobs"].values()
    runs = [[step["run"] for step in job["steps"] if "run" in step] for job in jobs]

    assert [job["container"] for job in jobs] == ["debian:12"] * 2
    assert [one[-1].strip() for one in runs] == [".ci/run", ".ci/external"]
    assert all(re.search(r"apt-get install .*git python3 python3-venv", one[0]) for one in runs)
    assert not any("continue-on-error" in step for job in jobs for step in job["steps"])


@pytest.mark.parametrize(("job", "script"), [("everything", "run"), ("external", "external")])
def test_a_job_has_time_for_all_of_its_steps(job: str, script: str) -> None:
    text = (ROOT / ".ci" / script).read_text()
    grace = int(re.findall(r"--kill-after=(\d+)", text)[0])
    limits = re.findall(r'step "\w+" (\d+)|kill-after=\d+ (\d+)', text)

    seconds = sum(int(one or other) + grace for one, other in limits)

    assert len(limits) >= 1
    assert seconds < _WORKFLOW["jobs"][job]["timeout-minutes"] * 60


def test_actions_are_pinned_to_a_commit_and_hold_no_rights() -> None:
    jobs = _WORKFLOW["jobs"].values()
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)
    assert _WORKFLOW["permissions"] == {"contents": "read"}


def test_the_proof_is_executable_and_reads_no_input() -> None:
    run = Path(ROOT / ".ci" / "run")

    assert run.stat().st_mode & 0o111 == 0o111
    assert "exec </dev/null" in run.read_text()
    for command in ("check", "test", "demo --once --json"):
        assert f"./carillon {command}" in run.read_text()

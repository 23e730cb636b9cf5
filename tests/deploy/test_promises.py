"""What deploy/ promises of itself: nobody is root, nothing is writable, all is bounded, pinned, probed, the same."""

import json
import re
import subprocess
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime import postgres
from runtime.settings import Settings
from runtime.temporal_server import temporal_binary
from tests.deploy.rendered import (
    DEPLOY,
    OVERLAYS,
    ROOT,
    SITE,
    SYSTEMD,
    Pod,
    compose,
    objects,
    pods,
    told,
    tool,
    unit,
    variables,
)

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+(\.\d+)?[\w.-]*")
ONCE = {"migrate", "namespace", "temporal-schema", "office"}
CONSOLE, WORKER_METRICS, CONSOLE_METRICS, CONNECTOR_METRICS, HTTPS = "8000", "9464", "9465", "9466", "8443"


def services() -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"]
    return found


def seconds(text: str) -> int:
    """Compose's and systemd's way of writing a length of time."""
    units = {"s": 1, "m": 60, "min": 60, "h": 3600}
    return sum(int(number) * units[each] for number, each in re.findall(r"(\d+)(min|[smh])", text))


def graceful(environment: Any) -> float:
    given = environment.get("BIHUAN_GRACEFUL_SHUTDOWN")
    return (Settings.load(graceful_shutdown=given) if given else Settings.load()).graceful_shutdown / timedelta(
        seconds=1
    )


def drain(environment: Any) -> float:
    return Settings.load(drain=environment.get("BIHUAN_DRAIN", "0s")).drain / timedelta(seconds=1)


def image_lines() -> str:
    return (DEPLOY / "image" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")


def test_the_image_ends_as_nobody_special_without_a_compiler() -> None:
    stages = image_lines().split("\nFROM ")
    last = stages[-1]

    assert len(stages) == 4  # comments, base, build, the image
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert not re.search(r"apt-get|gcc|build-essential|\bpip install|\buv\b", last)
    assert "STOPSIGNAL SIGTERM" in last
    assert "HEALTHCHECK" in last
    # Every package comes by hash from the lock, ready built.
    installs = re.findall(r"uv pip install[^&\n]*", stages[-2])
    assert [each for each in installs if "--require-hashes" not in each and "--no-index" not in each] == []
    assert [each for each in installs if "--only-binary :all:" not in each and "--no-index" not in each] == []


def test_the_builder_gets_the_program_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {*shipped["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"], "pyproject.toml", "uv.lock"}

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == {*wanted, "deploy/image/healthcheck.py"}


@pytest.mark.parametrize(("machine", "python"), [("x86_64", 313), ("aarch64", 313), ("x86_64", 311), ("aarch64", 311)])
def test_every_locked_package_has_a_wheel_for_the_image_and_the_bundle(machine: str, python: int) -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    packages = {each["name"]: each for each in lock["package"]}
    ours = packages["bihuan"]
    reached, ahead = (
        set(),
        [*ours["dependencies"], *(one for extra in ours["optional-dependencies"].values() for one in extra)],
    )
    while ahead:
        name = ahead.pop()["name"]
        if name not in reached:
            reached.add(name)
            ahead += packages[name].get("dependencies", ())
    version = python - 300
    built = rf"(py\d(\.py3)?|py2\.py3|cp3{version}|cp3\d+)-(none|abi3|cp3{version})"
    fits = re.compile(rf"-{built}-(any|[\w.]*linux[\w.]*_{machine}[\w.]*)\.whl$")
    without = [
        name
        for name in sorted(reached)
        if not any(fits.search(each["url"]) for each in packages[name].get("wheels", ()))
    ]

    assert len(reached) > 50
    assert without == []


def test_every_image_is_pinned_and_of_the_version_that_is_tested() -> None:
    images = {service["image"] for service in services().values()}
    images |= {pod.container["image"] for pod in pods()}
    images |= set(re.findall(r"^FROM (\S+:\S+)", image_lines(), re.M))
    by_name: dict[str, set[str]] = {}
    for image in images:
        assert PINNED.fullmatch(image), image
        name, _, tag = image.partition(":")
        by_name.setdefault(name, set()).add(tag)
    assert {name: tags for name, tags in by_name.items() if len(tags) > 1} == {}
    said = subprocess.run([temporal_binary(), "--version"], check=True, capture_output=True, text=True).stdout
    server, ui = re.findall(r"Server ([\d.]+), UI ([\d.]+)", said)[0]

    assert by_name["bihuan"] == {VERSION}
    assert f"IMAGE={'bihuan:' + VERSION}" in (DEPLOY / "compose" / "env.example").read_text("utf-8")
    assert f"bihuan:{VERSION}" in (ROOT / "Makefile").read_text("utf-8")
    assert by_name["temporalio/server"] == by_name["temporalio/admin-tools"] == {server}
    assert by_name["temporalio/ui"] == {ui}
    program = postgres._binaries() / "postgres"
    embedded = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    assert by_name["postgres"] == {re.findall(r"[\d.]+", embedded)[0] + "-bookworm"}


def test_a_container_of_compose_has_no_rights_it_does_not_need() -> None:
    for name, service in services().items():
        # Temporal's own pages write their configuration when they start, and bring a user of their own.
        writes = name == "temporal-ui"
        assert service.get("user", "0:0").split(":")[0] != "0" or writes, name
        assert service.get("read_only", False) is not writes, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else []), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name
        assert "max-size" in service["logging"]["options"], name
        assert all(port.get("host_ip") == "127.0.0.1" for port in service.get("ports", ())) or name == "proxy", name
        if name not in ONCE | {"temporal-ui", "connector"}:
            limits = service["deploy"]["resources"]["limits"]
            assert {"cpus", "memory"} <= set(limits), name
            assert service.get("healthcheck", {}).get("test") or name in ("prometheus", "grafana"), name


def test_every_file_compose_mounts_is_here_or_made_by_its_preparation() -> None:
    folder = DEPLOY / "compose"
    made = (folder / "prepare.sh").read_text("utf-8") + (DEPLOY / "temporal" / "certificates.sh").read_text("utf-8")
    for name, service in services().items():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                place = volume["source"]
                assert (folder / place).exists() or any(part in place for part in ("/secrets/", "/backups")), (
                    name,
                    place,
                )
    for name, secret in compose()["secrets"].items():
        stem = secret["file"].rpartition("/")[2].partition(".")[0]
        assert stem in made, f"nobody makes the secret {name}"


def test_no_secret_stands_in_a_variable() -> None:
    given = [(name, each) for name, service in services().items() for each in service.get("environment", {})]
    given += [(str(pod), each) for pod in pods() for each in pod.environment]
    telling = re.compile(r"PASSWORD|PWD|SECRET|_KEY$|TOKEN|DATABASE_URL$|SMTP_URL$")
    # Temporal's names for files do not say that they are some.
    given = [(where, each) for where, each in given if not each.startswith("TEMPORAL_TLS_")]

    assert [
        (where, name) for where, name in given if telling.search(name) and not name.endswith(("FILE", "__FILE"))
    ] == []


def test_the_ledger_and_the_engine_are_in_a_network_without_a_way_out() -> None:
    networks = compose()["networks"]

    assert networks["data"]["internal"] is True
    assert set(services()["postgres"]["networks"]) == {"data"}
    assert set(services()["temporal"]["networks"]) == {"data", "monitoring"}
    assert "outside" not in services()["console"]["networks"]


def test_forwarded_headers_are_believed_from_the_proxy_alone() -> None:
    address = services()["proxy"]["networks"]["edge"]["ipv4_address"]
    dynamic = compose()["networks"]["edge"]["ipam"]["config"][0]["ip_range"]

    assert services()["console"]["environment"]["BIHUAN_TRUSTED_PROXIES"] == address
    assert not address.startswith(dynamic.rpartition(".")[0] + ".1")
    assert (
        "trusted_proxies "
        not in (DEPLOY / "proxy" / "Caddyfile").read_text("utf-8").replace("# ", "").split("reverse_proxy {")[1]
    )


def test_proxy_and_console_take_bodies_of_the_same_size_and_nothing_holds_the_stream_back() -> None:
    adapted = told(tool("caddy"), "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "proxy" / "Caddyfile"))

    assert re.findall(r'"max_size":(\d+)', adapted) == [str(Settings.load().body_limit)]
    assert '"flush_interval":-1' in adapted
    assert f'"listen":[":{HTTPS}"]' in adapted


def test_whoever_stops_a_process_waits_longer_than_the_process_does() -> None:
    for name, service in services().items():
        if service["image"].startswith("bihuan:"):
            given = service.get("environment", {})
            assert seconds(service["stop_grace_period"]) > graceful(given) + drain(given) + 10, name
    for pod in pods():
        if pod.kind == "Deployment" and pod.name != "proxy":
            needed = graceful(pod.environment) + drain(pod.environment)
            assert pod.spec["terminationGracePeriodSeconds"] > needed + 5
    for path in SYSTEMD.glob("*.service"):
        service = unit(path)["Service"]
        if "-m worker" in service["ExecStart"] or "console" in service["ExecStart"]:
            given = dict(word.split("=", 1) for word in service.get("Environment", "").split())
            assert seconds(service["TimeoutStopSec"]) > graceful(given) + drain(given) + 10, path.name


def test_a_console_answers_longer_than_the_proxy_keeps_an_idle_connection_to_it() -> None:
    adapted = told(tool("caddy"), "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "proxy" / "Caddyfile"))
    (idle,) = re.findall(r'"idle_timeout":(\d+)', adapted.split('"transport"')[1])
    consoles = [services()["console"]["environment"], *(pod.environment for pod in pods() if pod.name == "console")]
    words = unit(SYSTEMD / "bihuan-console@.service")["Service"]["Environment"].split()
    consoles.append(dict(word.split("=", 1) for word in words))

    assert len(consoles) == 5
    for given in consoles:
        assert drain(given) > int(idle) / 1e9, given


def test_a_pod_is_nobody_special_bounded_and_probed() -> None:
    for pod in pods():
        _careful(pod)


def _careful(pod: Pod) -> None:
    container, context = pod.container, pod.spec["securityContext"]

    assert (context["runAsNonRoot"], context["seccompProfile"]["type"]) == (True, "RuntimeDefault")
    assert pod.spec["automountServiceAccountToken"] is False
    own = container["securityContext"]
    assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
    assert own["capabilities"]["drop"] == ["ALL"]
    assert {"cpu", "memory"} <= set(container["resources"]["limits"]) & set(container["resources"]["requests"])
    secrets = [each["secret"] for each in pod.spec["volumes"] if "secret" in each]
    assert all(each["defaultMode"] == 0o400 for each in secrets)
    if pod.kind == "Deployment":
        assert {"readinessProbe", "livenessProbe"} <= set(container)
        assert len(pod.spec["topologySpreadConstraints"]) == 2
        budgets = {each["metadata"]["name"] for each in objects(pod.overlay, "PodDisruptionBudget")}
        assert pod.name in budgets or pod.name == "witness"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_policy_autoscaler_and_budget_means_a_deployment_that_is_there(overlay: str) -> None:
    deployments = {each["metadata"]["name"]: each for each in objects(overlay, "Deployment")}
    policies = {each["metadata"]["name"]: each["spec"] for each in objects(overlay, "NetworkPolicy")}

    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for each in objects(overlay, "HorizontalPodAutoscaler"):
        assert "replicas" not in deployments[each["spec"]["scaleTargetRef"]["name"]]["spec"]
        assert each["spec"]["minReplicas"] >= 2
    for each in objects(overlay, "PodDisruptionBudget"):
        assert each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] in deployments


def test_a_port_is_the_same_wherever_it_is_named() -> None:
    lines, proxy = image_lines(), (DEPLOY / "proxy" / "Caddyfile").read_text("utf-8")
    assert f"EXPOSE {CONSOLE} {WORKER_METRICS} {CONSOLE_METRICS} {CONNECTOR_METRICS}" in lines
    assert f"BIHUAN_CONSOLE_PORT={CONSOLE}" in lines
    assert f"{{$CONSOLE_PORT:{CONSOLE}}}" in proxy
    found = services()
    assert (
        found["console"]["environment"]["BIHUAN_CONSOLE_PORT"]
        == found["proxy"]["environment"]["CONSOLE_PORT"]
        == CONSOLE
    )
    assert found["proxy"]["environment"]["HTTPS_PORT"] == str(found["proxy"]["ports"][0]["target"]) == HTTPS
    for name, port in (("worker", WORKER_METRICS), ("witness", WORKER_METRICS)):
        assert found[name]["environment"]["BIHUAN_WORKER_METRICS"] == f"0.0.0.0:{port}"
        assert f":{port}/readyz" in str(found[name]["healthcheck"]["test"])
    assert found["console"]["environment"]["BIHUAN_CONSOLE_METRICS"] == f"0.0.0.0:{CONSOLE_METRICS}"
    assert found["connector"]["environment"]["BIHUAN_CONNECTOR_METRICS"] == f"0.0.0.0:{CONNECTOR_METRICS}"
    assert f":{CONNECTOR_METRICS}/readyz" in str(found["connector"]["healthcheck"]["test"])
    jobs = {
        each["job_name"]: each
        for each in yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    }
    for job, port in (("worker", WORKER_METRICS), ("console", CONSOLE_METRICS), ("connector", CONNECTOR_METRICS)):
        (source,) = jobs[job]["dns_sd_configs"]
        assert str(source["port"]) == port
        assert set(source["names"]) <= set(found)
    assert found["temporal"]["environment"]["PROMETHEUS_ENDPOINT"].endswith(":9090")
    assert jobs["temporal"]["static_configs"][0]["targets"] == ["temporal:9090"]
    for pod in pods():
        ports = {each["name"]: str(each["containerPort"]) for each in pod.container.get("ports", ())}
        wanted = {"worker": {"metrics": WORKER_METRICS}, "console": {"http": CONSOLE, "metrics": CONSOLE_METRICS}}
        component = pod.template["metadata"]["labels"]["app.kubernetes.io/component"]
        assert ports == {**wanted, "proxy": {"https": HTTPS}}.get(component, {}), pod
        if component in wanted:
            assert pod.template["metadata"]["annotations"]["prometheus.io/port"] == wanted[component]["metrics"]


def test_grafana_finds_prometheus_and_the_dashboards_where_they_are() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text("utf-8"))["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "bihuan.yaml").read_text("utf-8"))["providers"]
    mounted = {each["target"]: each["source"] for each in services()["grafana"]["volumes"]}

    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")
    dashboards = sorted(Path(mounted[provider["options"]["path"]]).glob("*.json"))
    assert dashboards
    for path in dashboards:
        assert json.loads(path.read_text("utf-8"))["panels"], path.name
    rules = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))["rule_files"]
    assert [(DEPLOY / "prometheus" / Path(each).name).exists() for each in rules] == [True]


def test_postgresql_is_as_careful_as_the_embedded_one() -> None:
    text = (DEPLOY / "postgres" / "postgresql.conf").read_text("utf-8")
    given = {name: value.strip("'") for name, value in re.findall(r"^(\w+) = (\S.*)$", text, re.M)}
    careful = (
        *("fsync", "full_page_writes", "synchronous_commit", "timezone", "log_timezone", "random_page_cost"),
        *("idle_in_transaction_session_timeout", "log_min_error_statement", "log_error_verbosity", "log_line_prefix"),
    )

    assert {name: given[name].strip() for name in careful} == {
        name: postgres._SETTINGS[name].strip() for name in careful
    }
    environment = services()["postgres"]["environment"]
    assert "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8" in environment["POSTGRES_INITDB_ARGS"]
    assert "--data-checksums" in environment["POSTGRES_INITDB_ARGS"]


def test_all_processes_together_fit_into_the_connections_of_postgresql() -> None:
    text = (DEPLOY / "postgres" / "postgresql.conf").read_text("utf-8")
    (most,) = re.findall(r"^max_connections = (\d+)$", text, re.M)
    ours = 0
    for name in ("worker", "witness", "console"):
        service = services()[name]
        # The pool, one connection beside it (a worker listens for notices), and one process more during a change.
        ours += (int(service["environment"]["BIHUAN_POOL_SIZE"]) + 2) * (service["deploy"].get("replicas", 1) + 1)
    # Four services of Temporal with two pools each, as its template has them.
    assert ours + 4 * (20 + 10) + 20 <= int(most)


def test_the_site_of_compose_is_asked_for_and_used_everywhere() -> None:
    assert services()["console"]["environment"]["BIHUAN_PUBLIC_URL"] == f"https://{SITE}"
    assert services()["proxy"]["environment"]["SITE"] == SITE
    assert set(variables(DEPLOY / "compose" / "env.example")) == set(
        re.findall(r"\$\{(\w+)", (DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))
    )

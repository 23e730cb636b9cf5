"""What a process exposes for Prometheus, and what dashboards and alerts ask of it."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import yaml

ROOT = Path(__file__).parents[1]
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ALERTS = ROOT / "deploy/prometheus/alerts.yml"

Series = tuple[str, frozenset[tuple[str, str]]]

_LINE = re.compile(r"([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    """One answer of ``/metrics``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series: Mapping[Series, float] = dict(_read(text))

    @property
    def names(self) -> set[str]:
        """The names of all series."""
        return {name for name, _ in self.series}

    def labels(self) -> Iterator[tuple[str, str]]:
        """Every label with its value, of our own metrics."""
        for name, labels in self.series:
            if name.startswith("bihuan_"):
                yield from labels

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that have these labels; 0 where there are none."""
        wanted = set(labels.items())
        return sum(value for (each, has), value in self.series.items() if each == name and wanted <= has)


def _read(text: str) -> Iterator[tuple[Series, float]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            found = _LINE.fullmatch(line)
            assert found, f"not a line of an exposition: {line}"
            yield (found[1], frozenset(_LABEL.findall(found[2] or ""))), float(found[3])


async def scrape(address: str) -> Scrape:
    """Ask for the metrics at host:port, as Prometheus does."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"http://{address}/metrics")
    assert answer.status_code == 200
    return Scrape(answer.text)


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    groups = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of dashboards and alerts, with where it stands."""
    for rule in alerts():
        yield f"alert {rule['alert']}", rule["expr"]
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                # Grafana puts a duration there before it asks.
                yield f"{file.name}: {panel['title']}", target["expr"].replace("$__rate_interval", "1m")


def names_in(expression: str) -> set[str]:
    """The metrics an expression asks for. Raises ``ValueError`` for one that Prometheus would not take."""
    found: set[str] = set()

    def visit(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found.add(str(part.name))

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found

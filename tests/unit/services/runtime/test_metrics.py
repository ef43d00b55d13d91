"""The list of metrics is closed, its names follow the conventions, its labels are bounded."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.runtime import metrics as m

SERVICES = Path(m.__file__).resolve().parents[1]
UNITS = {
    *("seconds", "bytes", "checkpoints", "clocks", "cosignatures", "logs", "views"),
    *("authentications", "breakers", "checks", "entries", "events", "failures", "gaps", "letters", "parts", "polls"),
    *("records", "requests", "restarts", "retries", "signatures", "states"),
}


def made(process: str) -> m.Metrics:
    return m.Metrics(process)


def test_names_are_unique_and_end_in_their_unit():
    names = [metric.name for metric in m.METRICS]
    assert len(set(names)) == len(names)
    for metric in m.METRICS:
        assert metric.unit in UNITS
        ending = f"_{metric.unit}_total" if isinstance(metric, m.Counter) else f"_{metric.unit}"
        assert metric.name.endswith(ending), metric.name
        assert re.fullmatch(r"ipx_[a-z]+(_[a-z]+)+", metric.name)
        assert metric.name.startswith(f"ipx_{metric.process}_")


def test_every_metric_says_what_it_is_in_both_languages():
    for metric in m.METRICS:
        assert re.search(r"[a-z]", metric.en)
        assert re.search(r"[一-鿿]", metric.zh), metric.name


def test_a_process_tells_its_own_metrics_and_the_shared_ones_only():
    told = {family.name for family in text_string_to_metric_families(made("relay").exposition().decode())}
    ours = {name for name in told if name.startswith("ipx_")}
    assert all(name.startswith(("ipx_relay_", "ipx_health_")) for name in ours)
    assert "ipx_relay_pending_events" in ours
    with pytest.raises(KeyError):
        made("relay").add(m.ROOM_GAPS, room="clues")


def test_nothing_outside_the_list_can_be_made():
    stranger = m.Counter("room", "seen_strangers", "x", "x")
    with pytest.raises(KeyError):
        made("room").add(stranger)
    importers = {
        str(path.relative_to(SERVICES))
        for path in [*SERVICES.rglob("*.py"), *(SERVICES.parent / "connectors").rglob("*.py")]
        if "prometheus_client" in (text := path.read_text("utf-8"))
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Import) and any(a.name.startswith("prometheus_client") for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client"))
    }
    assert importers == {"runtime/metrics.py"}


@pytest.mark.parametrize("labels", [{}, {"code": "x", "more": "y"}, {"kode": "x"}])
def test_labels_are_those_of_the_list(labels):
    with pytest.raises(KeyError):
        made("admission").add(m.ADMISSION_REFUSED, **labels)


def test_the_checks_of_a_node_of_every_city_are_told_apart():
    metrics = made("node")
    names = ["members", *(f"{city}/{what}" for city in range(41 * 3) for what in ("inbox", "outbox", "city", "pull"))]
    for name in names:
        metrics.set(m.HEALTH_PASSING, 1, check=name)
    told = metrics.exposition().decode()
    assert all(f'check="{name}"' in told for name in names)
    assert f'check="{m.OTHER}"' not in told


def test_past_its_bound_a_label_says_other():
    metrics = made("admission")
    for number in range(m.CODE.limit + 5):
        metrics.add(m.ADMISSION_REFUSED, code=f"c{number}")
    assert metrics.value(m.ADMISSION_REFUSED, code="c0") == 1
    assert metrics.value(m.ADMISSION_REFUSED, code=m.OTHER) == 5
    metrics.add(m.ADMISSION_REFUSED, code="c0")
    assert metrics.value(m.ADMISSION_REFUSED, code="c0") == 2
    assert len(metrics._children) <= m.CODE.limit


def test_counters_gauges_and_histograms_tell_what_was_said():
    metrics = made("room")
    metrics.add(m.ROOM_EMITTED, 3, room="clues")
    metrics.set(m.ROOM_BEHIND, 1.5, room="clues")
    metrics.shift(m.ROOM_BEHIND, 1, room="clues")
    metrics.observe(m.ROOM_SECONDS, 0.2, room="clues")
    assert metrics.value(m.ROOM_EMITTED, room="clues") == 3
    assert metrics.value(m.ROOM_BEHIND, room="clues") == 2.5
    assert metrics.value(m.ROOM_SECONDS, room="clues") == 1
    assert metrics.value(m.ROOM_GAPS, room="clues") == 0


def test_every_metric_of_the_list_is_told_somewhere():
    text = "\n".join(
        path.read_text("utf-8")
        for path in [*SERVICES.rglob("*.py"), *(SERVICES.parent / "connectors").rglob("*.py")]
        if path != Path(m.__file__)
    )
    names = {name: value for name, value in vars(m).items() if isinstance(value, m.Metric)}
    # the node, which may not import this module, names a metric by its text
    words = set(re.findall(r"\w+", text))
    silent = [n for n, v in names.items() if n not in words and f'"{v.name.removeprefix("ipx_node_")}"' not in text]
    assert silent == []


WATCH = SERVICES.parent / "deploy" / "watch"


def test_the_table_for_operators_is_the_list():
    assert (WATCH / "METRICS.md").read_text("utf-8").endswith(f"\n\n{m.metrics_table()}")


def test_alerts_ask_only_for_metrics_that_there_are():
    rules = (WATCH / "rules.yml").read_text("utf-8")
    known = {metric.name for metric in m.METRICS}
    known |= {f"{metric.name}_bucket" for metric in m.METRICS if isinstance(metric, m.Histogram)}
    asked = set(re.findall(r"\bipx_\w+", "\n".join(re.findall(r"expr: (.*)", rules))))
    assert asked
    assert asked - known == set()


def test_every_alert_has_its_line_in_the_runbook_and_the_other_way_round():
    alerts = re.findall(r"- alert: (\w+)", (WATCH / "rules.yml").read_text("utf-8"))
    lines = re.findall(r"^\| `(\w+)` \|", (WATCH / "RUNBOOK.md").read_text("utf-8"), re.MULTILINE)
    assert len(set(alerts)) == len(alerts)
    assert sorted(alerts) == sorted(lines)

"""The configurations that the demo writes are taken by those who read them, and secrets are their owner's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.node.config import load_config as load_node
from connectors.reference_city.config import load_config as load_city
from services.demo.roster import load_roster
from services.demo.stage import Place, gateway_of, node_role, system_role
from services.kernel.errors import Transient
from services.kernel.ports import CountedEntropy
from services.platform.layout import Layout
from services.platform.state import PartState, PlatformState, write_state
from services.runtime.settings import CommonSettings

CITIES = load_roster()
PLACE = Place(
    {organ.id: 20_000 + n for n, organ in enumerate(o for city in CITIES for o in city.organs)},
    {city.node: 21_000 + n for n, city in enumerate(CITIES)},
)


@pytest.fixture
def settings(tmp_path: Path) -> CommonSettings:
    gateway = PartState(details={"url": "http://127.0.0.1:18080"})
    write_state(Layout(tmp_path).state_file, PlatformState(parts={"gateway": gateway}))
    return CommonSettings.load({}, state_dir=tmp_path)


def test_every_case_system_takes_its_configuration(tmp_path: Path) -> None:
    for city in CITIES:
        for organ in city.organs:
            role = system_role(tmp_path, organ, PLACE, CountedEntropy())
            config = load_city(Path(role.argv[-1]))
            assert (config.name, config.dialect, config.port) == (organ.id, organ.form, PLACE.systems[organ.id])
            assert config.proof.kind in ("token", "hmac")


def test_a_moved_clock_is_the_case_systems_clock_too(tmp_path: Path) -> None:
    organ = CITIES[0].organs[0]
    plain = load_city(Path(system_role(tmp_path, organ, PLACE, CountedEntropy()).argv[-1]))
    moved = load_city(Path(system_role(tmp_path, organ, PLACE, CountedEntropy(), tmp_path / "clock").argv[-1]))
    assert (plain.clock, moved.clock) == (None, tmp_path / "clock")


def test_every_node_takes_its_configuration_and_knows_each_system_by_the_same_secret(
    tmp_path: Path, settings: CommonSettings
) -> None:
    for city in CITIES:
        systems = [load_city(Path(system_role(tmp_path, o, PLACE, CountedEntropy()).argv[-1])) for o in city.organs]
        role = node_role(tmp_path, settings, city, PLACE)
        config = load_node(Path(role.argv[-1]))
        assert [member.id for member in config.participants] == [organ.id for organ in city.organs]
        assert config.node.gateway == "http://127.0.0.1:18080"
        for member, system in zip(config.participants, systems, strict=True):
            assert member.city is not None
            assert member.city.auth.kind == system.proof.kind
            assert member.city.auth.secret_file is not None
            assert member.city.auth.secret_file.read_text().strip() == system.proof.secret
            assert member.city.url.endswith(str(PLACE.systems[member.id]))


def test_secrets_are_readable_by_their_owner_alone_and_kept_from_run_to_run(tmp_path: Path) -> None:
    organ = CITIES[0].organs[0]
    entropy = CountedEntropy()
    first = load_city(Path(system_role(tmp_path, organ, PLACE, entropy).argv[-1]))
    second = load_city(Path(system_role(tmp_path, organ, PLACE, entropy).argv[-1]))
    assert first.proof.secret == second.proof.secret
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


def test_without_a_gateway_it_is_said_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="ipx status"):
        gateway_of(CommonSettings.load({}, state_dir=tmp_path))

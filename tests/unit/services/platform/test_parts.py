"""The table of parts."""

from __future__ import annotations

import pytest

from services.kernel.errors import BadSettings
from services.platform.parts import EXCHANGE, EXTERNAL_SETTINGS, PARTS, PLATFORM, select_parts
from services.platform.ports import USUAL_PORTS
from services.runtime.settings import known_names


def names(parts):
    return [part.name for part in parts]


def test_all_parts_run_unless_some_are_named_and_the_order_is_that_of_the_table():
    assert select_parts() == PARTS
    assert names(select_parts(["registry", "postgres"])) == ["postgres", "registry"]


def test_a_name_that_is_no_part_is_refused_with_those_that_are():
    with pytest.raises(BadSettings, match=r"no part is called kafak; parts are postgres, kafka"):
        select_parts(["kafak", "registry"])


def test_what_a_part_needs_comes_before_it():
    seen = {"bootstrap"}
    for part in PARTS:
        assert set(part.after) <= seen
        seen.add(part.name)


def test_every_part_has_a_port_of_its_own_and_advice():
    ports = [part.port for part in PARTS]
    assert len(set(ports)) == len(ports)
    assert set(ports) <= set(USUAL_PORTS)
    assert all(part.what_to_do for part in PARTS)


def test_the_exchange_waits_for_the_whole_platform_and_its_preparation():
    for part in EXCHANGE:
        assert set(part.after) == {*names(PLATFORM), "bootstrap"}


def test_what_can_be_somebody_elses_is_the_platform_and_has_a_setting():
    assert set(EXTERNAL_SETTINGS) == set(names(PLATFORM))
    assert set(EXTERNAL_SETTINGS.values()) <= known_names()

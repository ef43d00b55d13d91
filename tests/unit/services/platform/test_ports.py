"""Choosing ports: the remembered one, else the usual one, else any free one, and never one twice."""

from __future__ import annotations

from itertools import count, repeat

import pytest

from services.kernel.errors import Transient
from services.platform.ports import USUAL_PORTS, choose_ports


def choose(remembered=None, busy=(), free_from=40_000):
    numbers = count(free_from)
    return choose_ports(remembered or {}, lambda port: port not in busy, lambda: next(numbers))


def test_usual_ports_are_taken_when_they_are_free():
    assert choose() == dict(USUAL_PORTS)


def test_a_busy_port_is_replaced_and_the_others_stay_usual():
    chosen = choose(busy={USUAL_PORTS["kafka"]})
    assert chosen == {**USUAL_PORTS, "kafka": 40_000}


def test_a_remembered_port_is_kept_while_it_is_free():
    assert choose({"kafka": 41_234})["kafka"] == 41_234
    assert choose({"kafka": 41_234}, busy={41_234})["kafka"] == USUAL_PORTS["kafka"]


def test_no_port_is_given_out_twice():
    everything_busy = set(USUAL_PORTS.values())
    repeating = iter([50_000, 50_000, *range(50_001, 50_050)])
    chosen = choose_ports({}, lambda port: port not in everything_busy, lambda: next(repeating))
    assert len(set(chosen.values())) == len(USUAL_PORTS)
    swapped = {"kafka": USUAL_PORTS["registry"], "registry": USUAL_PORTS["kafka"]}
    chosen = choose(swapped)
    assert (chosen["kafka"], chosen["registry"]) == (swapped["kafka"], swapped["registry"])
    assert len(set(choose({"postgres": USUAL_PORTS["kafka"]}).values())) == len(USUAL_PORTS)


def test_a_port_that_the_system_offers_is_given_out_only_when_it_can_be_taken():
    chosen = choose(busy={*USUAL_PORTS.values(), 40_000, 40_002})
    assert {40_000, 40_002}.isdisjoint(chosen.values())
    assert len(set(chosen.values())) == len(USUAL_PORTS)


def test_choosing_is_given_up_when_no_offered_port_can_be_taken():
    offered = repeat(40_000)
    with pytest.raises(Transient, match="in use"):
        choose_ports({}, lambda port: False, lambda: next(offered))


def test_a_name_that_is_not_a_part_any_more_is_forgotten():
    assert "gone" not in choose({"gone": 1})


def test_usual_ports_lie_below_those_that_the_system_gives_out():
    assert max(USUAL_PORTS.values()) < 32_768
    assert len(set(USUAL_PORTS.values())) == len(USUAL_PORTS)

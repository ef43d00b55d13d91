from __future__ import annotations

from dataclasses import replace

import pytest

from services.cases.laws import load_laws
from services.cases.state import Case
from services.kernel.errors import BadSettings
from services.members.registry import EMPTY


def test_an_entry_is_judged_by_its_own_members_and_what_was_due_before_by_those_of_then() -> None:
    laws, registries = load_laws(), {size: replace(EMPTY, size=size) for size in (5, 9)}
    case = Case("TR-1", members=5)
    later = laws.at_entry(case, 9, registries.__getitem__)
    assert (later.registry, later.then.registry) == (registries[9], registries[5])
    for known in (None, Case("TR-1"), replace(case, members=9)):
        assert laws.at_entry(known, 9, registries.__getitem__).then.registry == registries[9]
    assert laws.of_case(case, registries.__getitem__).registry == registries[5]


def test_tables_that_are_not_there_are_refused(tmp_path) -> None:
    with pytest.raises(BadSettings):
        load_laws(tmp_path)

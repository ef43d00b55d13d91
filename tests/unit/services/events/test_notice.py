"""The typed events of the notice family equal their schemas."""

from __future__ import annotations

from tests.unit.services.events.mirror import differences


def test_the_typed_events_of_the_notice_family_mirror_the_schemas() -> None:
    assert differences("notice") == []

from __future__ import annotations

from services.cases.clocks import verdicts
from services.cases.told import as_told
from services.events.notice import ClockVerdict
from tests.unit.services.cases.stage import HOUR, around, assistance


def test_a_notice_tells_every_value_of_the_verdict() -> None:
    stage = assistance()
    [(_, judged, _)] = verdicts(stage.now, around(), stage.at + HOUR)
    told = as_told(judged)
    said = {name: getattr(told, name) for name in ClockVerdict.__dataclass_fields__}
    words = {"explanation_zh": judged.explanation.zh, "explanation_en": judged.explanation.en}
    assert said == words | {name: getattr(judged, name) for name in said if name not in words}
    assert said["due_at"] is not None

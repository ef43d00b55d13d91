"""A verdict as a notice tells it: the same values, in the same words. The room says it, and who holds it against the room makes it too."""

from services.events.notice import ClockVerdict
from services.kernel.verdict import Verdict


def as_told(judged: Verdict) -> ClockVerdict:
    """The verdict of a Clock* notice."""
    return ClockVerdict(
        state=judged.state,
        started_at=judged.started_at,
        due_at=judged.due_at,
        warn_at=judged.warn_at,
        alarm_at=judged.alarm_at,
        hint_at=judged.hint_at,
        ended_at=judged.ended_at,
        late_by_ms=judged.late_by_ms,
        provisional=judged.provisional,
        advisory=judged.advisory,
        breach=judged.breach,
        explanation_zh=judged.explanation.zh,
        explanation_en=judged.explanation.en,
        source=judged.source,
    )

"""Facts of all kinds as hypothesis draws them, in the order of their admission, for tests of the clocks of a case."""

from __future__ import annotations

from hypothesis import strategies as st

from services.kernel.clock_moments import Moment
from tests.unit.services.cases.docket import Docket, at

Told = list[tuple[str, int, tuple[Moment, ...]]]
"""Event, time of admission, moments."""

HOUR = 3_600_000
WORDS = (
    *(("happened", word) for word in ("clue_received", "clue_filed", "clue_returned", "assistance_requested")),
    *(("happened", word) for word in ("assistance_finished", "assistance_withdrawn", "case_filed", "case_decided")),
    *(
        ("happened", word)
        for word in ("dispute_arisen", "dispute_settled", "performance_due", "limitation_interrupted")
    ),
    ("happened", "case_transferred"),
    ("suspended", "testing"),
    ("resumed", "testing"),
    ("suspended", "hearing"),
    ("resumed", "hearing"),
    ("extended", "head"),
    ("extended", "late_notice"),
)


@st.composite
def entries(draw: st.DrawFn) -> Told:
    """Facts in the order of their admission; each of one to three moments that happened then or up to 60 days before."""
    made, admitted = [], at("2026-02-09T10:00")
    for number in range(draw(st.integers(1, 9))):
        admitted += draw(st.integers(0, 40 * 24)) * HOUR
        moments = tuple(
            Moment(
                kind,
                word,
                admitted - draw(st.integers(0, 60 * 24)) * HOUR,
                f"e-{number}",
                5 if kind == "extended" else None,
            )
            for kind, word in draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
        )
        made.append((f"e-{number}", admitted, moments))
    return made


def played(told: Told) -> Docket:
    """A docket that has heard them."""
    docket = Docket()
    for event, admitted, moments in told:
        docket.hear(event, admitted, *moments)
    return docket

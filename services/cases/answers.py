"""Why a move has no effect and what is possible now, in words: for those who know the case, and for those who do not. Pure."""

from collections.abc import Iterable

from services.cases import rules
from services.cases.possibilities import possible
from services.cases.rules import Refusal
from services.cases.state import Case
from services.cases.steps import Around, NoEffect, Said
from services.cases.table import OPEN, Kind
from services.events.transfer import PossibleMoves, TransferMoved, TransferOpened

_NO_STATE = "unknown"


def no_effect(case: Case, said: Said, refusal: Refusal, around: Around) -> NoEffect:
    """The answer to whoever knows the case, with what each party may do now."""
    if not case.exists:
        can = (PossibleMoves(participant=said.source, moves=(OPEN,)),) if isinstance(said.body, TransferOpened) else ()
        return _answer(said, refusal, _NO_STATE, can, around.tables.kinds.get(_stated_kind(said)), around)
    kind = around.tables.kinds[case.kind]
    return _answer(said, refusal, case.state, possible(case, around), kind, around)


def outsiders_answer(case: Case, said: Said, refused: NoEffect, around: Around) -> NoEffect:
    """The answer to whoever was never told of the case (``case.informed``): a move is answered as if there were none.

    An opening is told that the number is taken and nothing else. Where there is no case, ``refused`` is for all alike.
    """
    if not case.exists:
        return refused
    rule = rules.OPENED_ALREADY if isinstance(said.body, TransferOpened) else rules.UNKNOWN_CASE
    return _answer(said, Refusal(rule), _NO_STATE, (), around.tables.kinds.get(_stated_kind(said)), around)


def _answer(
    said: Said, refusal: Refusal, state: str, can: tuple[PossibleMoves, ...], kind: Kind | None, around: Around
) -> NoEffect:
    rule = refusal.rule
    attempted = said.body.move if isinstance(said.body, TransferMoved) else OPEN
    move_zh, move_en = _named(kind, attempted, around)
    state_zh, state_en = _state_names(kind, state)
    zh = rule.zh.format(mover=said.source, move=f"“{move_zh}”", state=state_zh, what=refusal.zh)
    en = rule.en.format(mover=said.source, move=f"“{move_en}”", state=f"“{state_en}”", what=refusal.en)
    if state != _NO_STATE or can:
        can_zh, can_en = _can(kind, can, around)
        zh, en = f"{zh}{can_zh}", f"{en} {can_en}"
    return NoEffect(
        rule=rule.code,
        article=rule.article or _own_article(kind, attempted),
        attempted=attempted,
        state=state,
        possible=can,
        zh=zh,
        en=en,
    )


def _stated_kind(said: Said) -> str:
    return said.body.kind if isinstance(said.body, TransferOpened | TransferMoved) else ""


def _named(kind: Kind | None, move_id: str, around: Around) -> tuple[str, str]:
    if move_id == OPEN:
        return "发起", "open"
    move = around.tables.named(kind, move_id)
    return (move_id, move_id) if move is None else (move.zh, move.en)


def _state_names(kind: Kind | None, state: str) -> tuple[str, str]:
    if kind is None or state == _NO_STATE:
        return "未知", "unknown"
    found = kind.state(state)
    return found.zh, found.en


def _own_article(kind: Kind | None, attempted: str) -> str:
    """The article of the move that a rule keeps from having effect; of the kind for a move that every kind has."""
    if kind is None:
        return rules.EXCHANGE
    move = kind.move(attempted)
    return kind.opens_article if attempted == OPEN else move.article if move else kind.source


def _can(kind: Kind | None, can: Iterable[PossibleMoves], around: Around) -> tuple[str, str]:
    named = [(each.participant, [_named(kind, move, around) for move in each.moves]) for each in can]
    if not named:
        return "现在没有可以作出的行为。", "Nothing can be done on it now."
    zh = "；".join(f"{party}：{'、'.join(name for name, _ in moves)}" for party, moves in named)
    en = "; ".join(f"{party}: {', '.join(name for _, name in moves)}" for party, moves in named)
    return f"现在可以作出的行为：{zh}。", f"Possible now: {en}."

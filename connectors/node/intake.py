"""From the city: a page of happenings becomes signed events in the outbox, in one transaction with the cursor.

Each happening is told from the others by the city's own id. Its event id is made once and stored with the cursor, so whenever
the node dies, the next pull either finds the happening known or begins again without a trace. Numbered:
1 known already? · 2 kind and mapping · 3 what it answers · 4 mapped · 5 id and statement · 6 all of the page signed at once,
stored with the cursor. What fails in 2 to 5 is a dead letter with its reason, and the city is told, if it has a door for that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.kit import dead_letters
from connectors.kit.dead_letters import FROM_CITY, Letter
from connectors.kit.dialect import Dialect
from connectors.kit.mapping import Inward, draft, subject_of
from connectors.kit.paths import MISSING, lookup
from connectors.kit.port import Document, Page
from connectors.kit.shapes import OutgoingRefused
from connectors.node import case_entries, deliveries, happenings, notices, outbox, places
from connectors.node.casebook import Casebook
from connectors.node.happenings import Happening
from connectors.node.journal import Change
from connectors.node.sealing import Happened, Sealer
from connectors.node.site import Site
from services.kernel.errors import Refused, Transient
from services.kernel.families import family_of

UNKNOWN_REFERENCE: Final = "unknown-reference"
NO_MAPPING: Final = "no-mapping"
CHANGED: Final = "changed"
NO_KEY: Final = "no-key"
_MAX_KEY: Final = 128
_CASES: Final = "transfers"


class HoldPage(Transient):
    """A happening answers a reference that may be that of a push which is still undecided: look again in a moment."""


class HoldRest(HoldPage):
    """A happening is of a case of which an own event has no outcome yet: what stands before it in the page is taken."""


@dataclass(slots=True)
class Taken:
    """What a page came to. ``held``: only its beginning was taken, and it must be looked at again."""

    held: bool = False
    events: int = 0
    known: int = 0
    ignored: int = 0
    dead: list[Letter] = field(default_factory=list)


@dataclass(slots=True)
class Hold:
    """Until when, and for which undecided pushes, a page is held. Made by ``Intake`` and kept between tries."""

    until_ms: int
    up_to: int


class Intake:
    """Takes the pages of one site. Not shared between threads at a time."""

    def __init__(self, site: Site, dialect: Dialect, sealer: Sealer, book: Casebook) -> None:
        self._site = site
        self._dialect = dialect
        self._sealer = sealer
        self._book = book
        self._hold: Hold | None = None
        self._case_hold_ms: int | None = None

    def take(self, change: Change, page: Page, now_ms: int) -> Taken:
        """Stores the page and its cursor; ``HoldPage`` (and nothing stored) when it must be looked at again.

        Of a page that is held for a case its beginning is stored, not the cursor: the next pull finds that part known.
        """
        taken = self._take(change, [(item, None) for item in page.items], now_ms)
        if not taken.held:
            places.move(change.db, places.pull_name(self._site.connector), page.cursor)
        self._hold, self._case_hold_ms = None, None
        return taken

    def redrive(self, change: Change, now_ms: int) -> Taken:
        """Takes again the dead letters that an operator marked, with the mappings of today."""
        letters = dead_letters.to_redrive(change.db, self._site.connector)
        if not letters:
            return Taken()
        items = [(json.loads(letter.payload or b"{}"), letter) for letter in letters]
        return self._take(change, items, now_ms)

    def _take(self, change: Change, items: Sequence[tuple[Document, Letter | None]], now_ms: int) -> Taken:
        taken = Taken()
        happened: list[Happened] = []
        for item, letter in items:
            key, digest = self._key(item), _digest(item)
            try:
                # (1) known already?
                if letter is None and self._is_known(change, key, digest, taken):
                    continue
                one = self._one(change, item, key, now_ms, may_hold=letter is None)
            except HoldRest:
                if not (happened or taken.ignored or taken.dead):
                    raise
                taken.held = True
                break
            except Refused as error:
                self._set_aside(change, item, key, digest, error, now_ms, taken)
                continue
            state = "ignored" if one is None else "taken"
            kept = Happening(self._site.connector, key, digest, state, one.event if one else None, now_ms)
            happenings.keep(change.db, kept)
            if letter is not None:
                dead_letters.settle(change.db, self._site.connector, FROM_CITY, letter.item)
            if one is None:
                taken.ignored += 1
            else:
                happened.append(one)
                schema, value, drafted = one.sealed
                case_entries.keep_sent(change.db, drafted, schema.name, value)
        # (6) signed at once, stored
        if happened:
            rows = self._sealer.seal_happenings(self._site.participant, self._site.connector, happened)
            outbox.insert(change.db, rows)
        taken.events = len(happened)
        return taken

    def _key(self, item: Document) -> str:
        value = lookup(item, self._dialect.key_path)
        text = "" if value is MISSING or isinstance(value, dict | list | bool) or value is None else str(value)
        return text if 0 < len(text) <= _MAX_KEY else f"{NO_KEY}:{_digest(item).hex()[:16]}"

    def _is_known(self, change: Change, key: str, digest: bytes, taken: Taken) -> bool:
        before = happenings.known(change.db, self._site.connector, key)
        if before is None:
            return False
        if before[0] != digest:
            raise Refused(CHANGED, "the city told another happening under an id that it had used")
        taken.known += 1
        return True

    def _one(self, change: Change, item: Document, key: str, now_ms: int, *, may_hold: bool) -> Happened | None:
        if key.startswith(f"{NO_KEY}:"):
            raise Refused(NO_KEY, f"the happening has no id of the city at {self._dialect.key_path}")
        # (2) kind and mapping
        kind = lookup(item, self._dialect.kind_path)
        if isinstance(kind, str) and kind in self._dialect.ignored:
            return None
        inward = self._dialect.for_kind(kind) if isinstance(kind, str) else None
        if inward is None:
            raise Refused(NO_MAPPING, f"no mapping for this kind of happening at {self._dialect.kind_path}")
        # (3) what it answers
        known: dict[str, Any] = {
            "participant": self._site.participant,
            "division": self._site.division,
            "item": key,
            "answered": self._answered(change, inward, item, now_ms if may_hold else None),
        }
        if family_of(inward.type) != _CASES:
            # (4) mapped, (5) id and statement
            return self._sealer.prepare(self._site.participant, key, draft(inward, item, known))
        return self._of_case(change, inward, item, key, known, now_ms if may_hold else None)

    def _of_case(
        self,
        change: Change,
        inward: Inward,
        item: Document,
        key: str,
        known: dict[str, Any],
        hold_from_ms: int | None,
    ) -> Happened:
        """Steps 4 and 5 of a happening of a case; while an own event of the case has no outcome it may not be known whom to tell."""
        own, subject = self._site.participant, subject_of(inward, item, known)
        is_pending = subject is not None and case_entries.is_pending(change.db, own, subject)
        if is_pending and hold_from_ms is not None:
            self._hold_case(hold_from_ms)
        if subject is not None:
            known = {**known, "case": self._book.known(own, case_entries.entries(change.db, own, subject))}
        try:
            drafted = draft(inward, item, known)
        except Refused as error:
            if is_pending:
                raise _unknown_case() from error
            raise
        if is_pending and drafted.addressee == "-":
            raise _unknown_case()
        return self._sealer.prepare(own, key, drafted)

    def _hold_case(self, now_ms: int) -> None:
        if self._case_hold_ms is None:
            self._case_hold_ms = now_ms + round(self._site.pace.hold_s * 1000)
        if now_ms < self._case_hold_ms:
            raise HoldRest("a happening is of a case of which an own event has no outcome yet")

    def _answered(
        self, change: Change, inward: Inward, item: Document, hold_from_ms: int | None
    ) -> dict[str, str] | None:
        if inward.answers is None:
            return None
        by, path = inward.answers
        value = lookup(item, path)
        text = "" if value is MISSING or value is None or isinstance(value, dict | list) else str(value)
        if not text and not inward.must_answer:
            return None
        found = deliveries.answered(change.db, self._site.participant, by, text) if text else None
        if found is not None:
            return found.known()
        if hold_from_ms is not None:
            self._hold_while_undecided(change, hold_from_ms)
        raise Refused(UNKNOWN_REFERENCE, f"no delivery to this city has the {by} at {path}", field=path)

    def _hold_while_undecided(self, change: Change, now_ms: int) -> None:
        if self._hold is None:
            up_to = deliveries.last_pending(change.db, self._site.connector)
            if up_to is None:
                return
            self._hold = Hold(now_ms + round(self._site.pace.hold_s * 1000), up_to)
        undecided = deliveries.undecided(change.db, self._site.connector, self._hold.up_to)
        if undecided and now_ms < self._hold.until_ms:
            raise HoldPage("a happening answers a reference that is not known yet")

    def _set_aside(
        self, change: Change, item: Document, key: str, digest: bytes, error: Refused, now_ms: int, taken: Taken
    ) -> None:
        connector = self._site.connector
        letter_item = f"{key}:{digest.hex()[:16]}" if error.code == CHANGED else key
        kind = lookup(item, self._dialect.kind_path)
        inward = self._dialect.for_kind(kind) if isinstance(kind, str) else None
        letter = Letter(
            connector=connector,
            way=FROM_CITY,
            item=letter_item,
            type=None if inward is None else inward.type,
            code=error.code,
            field=error.field,
            reason=error.message[:500],
            payload=json.dumps(item, ensure_ascii=False).encode(),
            at_ms=now_ms,
        )
        dead_letters.put(change.db, letter)
        if error.code != CHANGED:
            happenings.keep(change.db, Happening(connector, key, digest, "dead", None, now_ms))
        notice = OutgoingRefused(
            item=key,
            event="",
            type=letter.type or "",
            subject="",
            code=error.code,
            field=error.field,
            message_zh="本地事项未能转换，未发出",
            message_en=error.message[:500],
        )
        notices.store(change, self._site, notice, now_ms)
        taken.dead.append(letter)


def _unknown_case() -> Refused:
    return Refused(UNKNOWN_REFERENCE, "the case is not known before the own event that opens it is admitted")


def _digest(item: Document) -> bytes:
    return hashlib.sha256(json.dumps(item, ensure_ascii=False, sort_keys=True).encode()).digest()

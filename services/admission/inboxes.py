"""Inboxes exist before anything is written to them: a record for a topic that is not there would end the whole transaction."""

from __future__ import annotations

from collections.abc import Iterable

from services.runtime.settings import CommonSettings
from services.runtime.topic_admin import ensure_participant_topics, open_admin
from services.runtime.topics import Topics, TopicTable


class Inboxes:
    """Remembers which inboxes are there, and makes those of participants that are new."""

    def __init__(self, settings: CommonSettings, topics: Topics, table: TopicTable, present: Iterable[str]) -> None:
        """``present`` are the names of all topics of the cluster."""
        self._settings = settings
        self._topics = topics
        self._table = table
        owners = (topics.inbox_owner(topic) for topic in present)
        self._known = {owner for owner in owners if owner is not None}

    def ensure(self, participants: Iterable[str]) -> None:
        """Inbox and outbox of these participants exist when this returns. Blocks when one is new; ``Transient``."""
        missing = set(participants) - self._known
        if missing:
            with open_admin(self._settings) as admin:
                ensure_participant_topics(admin, self._topics, missing, self._table)
            self._known |= missing

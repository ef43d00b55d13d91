"""The one error tree of the exchange.

::

    IpxError
    ├── Refused         the caller's fault: a closed code, a sentence that helps, the field if there is one
    ├── InvalidRecord   a record of a topic that cannot be used: topic, partition, offset, reason
    ├── Transient       a part is away; the caller may try again, within a limit and with a metric
    ├── Corrupt         what was read contradicts what was proved before: stop, do not repair
    └── BadSettings     at start only: which setting, what was expected

Codes are stable and closed (``schemas/codes/refusal_codes.csv``); tests assert codes, never sentences.
"""

from __future__ import annotations


class IpxError(Exception):
    """Root of the tree; ``code`` is stable, the text is for people."""

    code = "error"


class Refused(IpxError):
    """The caller asked for something the exchange does not do; nothing was changed and nothing is lost.

    ``about`` are the names that the sentence turns on (addressee, flow, agreement), so that the Chinese one, which is made from the
    code, names them too. Names of the exchange alone, never what an event says.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None, about: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.about = about


class InvalidRecord(IpxError):
    """A record of a topic that cannot be used at all; it is kept where it is and named."""

    code = "invalid-record"

    def __init__(self, topic: str, partition: int, offset: int, reason: str) -> None:
        super().__init__(f"{topic}/{partition}@{offset}: {reason}")
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.reason = reason


class Transient(IpxError):
    """A part is not there now (broker, registry, database, a city's system); trying again may help."""

    code = "unavailable"


class Corrupt(IpxError):
    """What was read contradicts what was proved before. The process stops; a person looks."""

    code = "corrupt"


class BadSettings(IpxError):
    """A setting is missing, unknown or out of range; raised at start, before anything is touched."""

    code = "bad-settings"

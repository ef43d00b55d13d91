"""Structured logs: one line a fact, JSON or text, with the event id and the trace id that the line is about.

A log line is no place for content. Only the names in ``KEYS`` come out; the value of any other name is left out and
its name kept, so that a phone number cannot reach a log by a careless call. Of an error the class and the code are
written, and its sentence only where our own code made it about parts and places (``Transient``, ``Corrupt``,
``BadSettings``, ``InvalidRecord``): the sentence of a refusal may quote a field.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.contextvars import bind_contextvars, merge_contextvars, reset_contextvars

from services.kernel.errors import BadSettings, Corrupt, InvalidRecord, IpxError, Refused, Transient

Form = Literal["json", "text"]
Level = Literal["debug", "info", "warning", "error"]
Logger = structlog.stdlib.BoundLogger

KEYS = frozenset(
    (
        # what structlog itself puts there
        *("event", "level", "timestamp", "logger", "process"),
        # which event, where it is
        *("event_id", "trace_id", "cause", "type", "subject", "source", "recipient", "participant", "key_id"),
        *("topic", "partition", "offset", "seq", "number", "log", "family", "agreement", "schema", "outcome"),
        "origin",
        # what went wrong
        *("error", "code", "field", "reason", "where", "step", "status"),
        # which part, how much, how long
        *("part", "room", "check", "target", "connector", "route", "method", "url", "port", "pid", "path", "signal"),
        *("count", "size", "events", "entries", "records", "seconds", "attempt", "attempts", "wait_s", "limit_s"),
        *("members", "partitions", "topics", "setting", "version", "expected", "position", "worker"),
    )
)
WITHHELD = "(left out)"
_SPEAKABLE = (Transient, Corrupt, BadSettings, InvalidRecord)
_FOREIGN_LIMIT = 300

Line = MutableMapping[str, Any]


def configure(process: str, *, form: Form = "json", level: Level = "info", out: TextIO | None = None) -> None:
    """Sets up logging for this process, once, at its start. Lines go to stderr unless told otherwise.

    The logs of libraries come out in the same form, from warning up, cut to a line: they may quote what they read.
    """
    shared: list[Any] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _process_of(process),
        _say_error,
        _only_known_keys,
    ]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if form == "json" else _text_line
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_cut_foreign, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ipx").setLevel(level.upper())
    logging.captureWarnings(capture=True)


def get_logger(name: str) -> Logger:
    """The logger of a part: ``get_logger("room")``. Call ``log.info("what happened", event_id=…)`` with names in KEYS."""
    logger: Logger = structlog.stdlib.get_logger(f"ipx.{name}")
    return logger


@contextmanager
def about(event_id: str | None = None, trace_id: str | None = None, **more: str | int) -> Iterator[None]:
    """Every line of this thread or task inside the block carries these."""
    given: dict[str, Any] = {"event_id": event_id, "trace_id": trace_id, **more}
    tokens = bind_contextvars(**{name: value for name, value in given.items() if value is not None})
    try:
        yield
    finally:
        reset_contextvars(**tokens)


def words_of(error: BaseException) -> dict[str, str]:
    """What may be written of an error: ``error`` (class), ``code``, ``field``, and ``reason`` where it is speakable."""
    words = {"error": type(error).__name__}
    if isinstance(error, IpxError):
        words["code"] = error.code
    if isinstance(error, Refused) and error.field:
        words["field"] = error.field
    if isinstance(error, _SPEAKABLE):
        words["reason"] = str(error)
    return words


def _process_of(process: str) -> Any:
    def add(_logger: Any, _method: str, line: Line) -> Line:
        line["process"] = process
        return line

    return add


def _say_error(_logger: Any, _method: str, line: Line) -> Line:
    """``exc_info`` becomes class, code and the places of the traceback; never the values that a foreign sentence has."""
    given = line.pop("exc_info", None)
    if given:
        error = (
            given if isinstance(given, BaseException) else (given if isinstance(given, tuple) else sys.exc_info())[1]
        )
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            line.update(words_of(error))
            line["where"] = " < ".join(f"{f.name} {f.filename.rpartition('/')[2]}:{f.lineno}" for f in reversed(frames))
    return line


def _only_known_keys(_logger: Any, _method: str, line: Line) -> Line:
    for name in line:
        if name not in KEYS and not name.startswith("_"):
            line[name] = WITHHELD
    return line


def _cut_foreign(_logger: Any, _method: str, line: Line) -> Line:
    text = str(line.get("event", "")).partition("\n")[0]
    line["event"] = text if len(text) <= _FOREIGN_LIMIT else f"{text[:_FOREIGN_LIMIT]}…"
    record = line.get("_record")
    if record is not None:
        line["logger"] = record.name
    line.pop("stack_info", None)
    return line


def _text_line(_logger: Any, _method: str, line: Line) -> str:
    head = f"{line.pop('timestamp', '')} {line.pop('level', ''):7} {line.pop('process', '')}: {line.pop('event', '')}"
    return " ".join([head, *(f"{name}={value}" for name, value in line.items() if not name.startswith("_"))])

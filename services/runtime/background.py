"""A call on a thread of its own that may be given up: librdkafka has calls that do not keep their time limit.

After a broker came back, ``send_offsets_to_transaction`` of librdkafka 2.16 may wait for the group's coordinator for ever. Such a call
cannot be taken back; its thread is left alone with the client it uses, and a new session goes on with a new one, which fences the old.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from services.kernel.errors import IpxError, Transient

T = TypeVar("T")


def begin(call: Callable[..., T], *args: Any) -> Future[T]:
    """Starts the call; the thread does not keep the process alive."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = call(*args)
        except (IpxError, KafkaException, RuntimeError) as error:  # whoever waits for the result raises it
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="background", daemon=True).start()
    return future


def wait(future: Future[T], limit_s: float) -> T:
    """The result of a call that was begun; raises what it raised, ``Transient`` when it does not come within the limit."""
    try:
        return future.result(limit_s)
    except TimeoutError as error:
        if future.done():
            raise  # the call itself raised it
        raise Transient(f"a call to Kafka has not come back within {limit_s:g} s; it is given up") from error

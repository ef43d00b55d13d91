"""The HTTP clients: no redirects, no foreign encodings, no reply without a bound, and one error for a part that is away."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
import zstandard

from services.codec.http import AsyncHttpClient, HttpClient, Reply, ReplyTooLarge, TimedOut
from services.kernel.errors import Transient

Handler = Callable[[httpx.Request], httpx.Response]


def ask(handler: Handler, *, is_async: bool, most_bytes: int = 1000, timeout_s: float | None = None) -> Reply:
    """One GET through either client, answered by ``handler``."""
    transport = httpx.MockTransport(handler)
    if not is_async:
        with HttpClient("http://city.test", transport=transport) as client:
            return client.send("GET", "/x", headers={"a": "b"}, query={"q": "值"}, most_bytes=most_bytes)

    async def run() -> Reply:
        client = AsyncHttpClient("http://city.test", transport=transport, timeout_s=5)
        try:
            return await client.send(
                "GET", "/x", headers={"a": "b"}, query={"q": "值"}, most_bytes=most_bytes, timeout_s=timeout_s
            )
        finally:
            await client.close()

    return asyncio.run(run())


both = pytest.mark.parametrize("is_async", [False, True])


@both
def test_a_reply_is_status_lower_case_headers_and_body(is_async: bool) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(418, headers={"X-Odd": "1"}, content=b'{"a": 1}')

    reply = ask(handler, is_async=is_async)
    assert (reply.status, reply.headers["x-odd"], reply.json()) == (418, "1", {"a": 1})
    assert str(seen[0].url) == "http://city.test/x?q=%E5%80%BC"
    assert seen[0].headers["a"] == "b"
    assert seen[0].headers["accept-encoding"] == "identity"


@both
def test_a_redirect_is_handed_back_and_not_followed(is_async: bool) -> None:
    asked = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "http://elsewhere.test/"})

    assert ask(handler, is_async=is_async).status == 302
    assert asked == ["city.test"]


@both
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout])
def test_a_connection_that_fails_is_transient(is_async: bool, error: type[httpx.TransportError]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error("gone", request=request)

    with pytest.raises(Transient) as caught:
        ask(handler, is_async=is_async)
    assert isinstance(caught.value, TimedOut) == issubclass(error, httpx.TimeoutException)


@both
def test_a_reply_past_the_bound_is_not_read_to_its_end(is_async: bool) -> None:
    given = []

    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            given.append(1)
            yield b"x" * 100

    async def chunks_async() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    with pytest.raises(ReplyTooLarge):
        ask(lambda request: httpx.Response(200, content=chunks_async() if is_async else chunks()), is_async=is_async)
    assert len(given) < 20


@both
def test_a_reply_that_announces_too_much_is_not_read_at_all(is_async: bool) -> None:
    with pytest.raises(ReplyTooLarge):
        ask(lambda request: httpx.Response(200, headers={"content-length": "1001"}), is_async=is_async)


@both
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("zstd", zstandard.compress(bytes(50 << 20))),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(1 << 20), mtime=0), mtime=0)),
        ("br", b"x"),
        ("GZIP , deflate", b"x"),
    ],
)
def test_an_encoding_that_unfolds_without_bound_is_refused(is_async: bool, encoding: str, body: bytes) -> None:
    with pytest.raises(ReplyTooLarge):
        ask(
            lambda request: httpx.Response(200, headers={"content-encoding": encoding}, stream=raw(body)),
            is_async=is_async,
        )


def raw(body: bytes) -> httpx.ByteStream:
    """A body as it lies on the wire."""
    return httpx.ByteStream(body)


@both
@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_city_that_packs_anyway_is_understood_within_the_bound(
    is_async: bool, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    def handler(size: int) -> Handler:
        packed = pack(b"y" * size)
        return lambda request: httpx.Response(200, headers={"content-encoding": encoding}, stream=raw(packed))

    assert ask(handler(1000), is_async=is_async).body == b"y" * 1000
    with pytest.raises(ReplyTooLarge):
        ask(handler(1001), is_async=is_async)


@both
def test_a_reply_that_is_not_what_its_encoding_says_is_transient(is_async: bool) -> None:
    with pytest.raises(Transient):
        ask(
            lambda request: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=raw(b"no gzip")),
            is_async=is_async,
        )


def test_a_reply_that_drips_ends_with_the_timeout() -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0)
            yield b""

    with pytest.raises(TimedOut):
        ask(lambda request: httpx.Response(200, content=drip()), is_async=True, timeout_s=0.05)


def test_a_url_that_is_none_is_transient() -> None:
    with HttpClient(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as client:
        for url in ("http://city.test:port/", "http://city.test/\x00"):
            with pytest.raises(Transient):
                client.send("GET", url)


def test_no_more_requests_are_on_their_way_than_there_are_connections() -> None:
    now, most = 0, 0

    async def handler(_request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return httpx.Response(200)

    async def run() -> list[Reply]:
        client = AsyncHttpClient("http://city.test", connections=2, transport=httpx.MockTransport(handler))
        replies = await asyncio.gather(*(client.send("GET", "/x") for _ in range(7)))
        await client.close()
        return replies

    assert [reply.status for reply in asyncio.run(run())] == [200] * 7
    assert most == 2


def test_a_connection_that_is_free_is_used_before_another_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[httpx.MockTransport] = []

    def open_one(**_settings: object) -> httpx.MockTransport:
        opened.append(httpx.MockTransport(lambda _request: httpx.Response(200)))
        return opened[-1]

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", open_one)

    async def run() -> None:
        client = AsyncHttpClient("http://city.test", connections=9)
        for _ in range(5):
            await client.send("GET", "/x")
        await client.close()

    asyncio.run(run())
    assert len(opened) == 1

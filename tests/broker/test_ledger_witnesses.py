"""Checkpoints and tiles over HTTP, cosignatures of witnesses posted there, and the quorum that makes a checkpoint witnessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.codec.checkpoint import open_checkpoint, parse_checkpoint
from services.codec.http import Reply
from services.codec.log_keys import LEDGER, log_signer
from services.codec.note import Note, NoteKey, cosign_note, cosigned_at, format_note, parse_note
from services.codec.tiles import Tree, read_bundle
from services.codec.tlog_policy import judge, parse_policy
from services.runtime.shell import SystemClock
from tests.broker.gateway_running import (
    OPERATOR,
    Client,
    Genesis,
    RunningGateway,
    running_gateway,
    signer_of,
    until,
)
from tests.broker.ledger_rig import SIGNER, Rig, clues, ledger_rig

SHANGHAI, NANJING, HANGZHOU = "310000.market_regulator", "320100.market_regulator", "330100.market_regulator"
POLICE = "330100.police"
WITNESSES = (SHANGHAI, NANJING, HANGZHOU)


@contextmanager
def witnessed_exchange(make_exchange: Callable[[], Any]) -> Iterator[tuple[Rig, RunningGateway]]:
    """A founded exchange with witnesses of three provinces, its ledger and its gateway."""
    with ledger_rig(make_exchange) as rig:
        rig.exchange.environ["IPX_ROOT_KEY"] = signer_of(OPERATOR).public.line()
        rig.writer.write(clues(300, partition=1))
        genesis = Genesis(rig.exchange)  # its writer takes over from that of the rig
        genesis.found(*WITNESSES, POLICE, LEDGER)
        for partition in range(4):
            genesis.add_key(LEDGER, log_signer(SIGNER, rig.origin(partition)))
        genesis.add_key(LEDGER, log_signer(SIGNER, f"{rig.exchange.name}/members/0"))
        process = rig.start()
        with running_gateway(rig.exchange) as gateway:
            rig.wait_signed({1: 300}, process)
            yield rig, gateway


def cosigned(note: bytes, participant: str, *, time_s: int | None = None) -> bytes:
    """The note with the cosignature of a participant."""
    parsed, signer = parse_note(note), signer_of(participant)
    at_s = SystemClock().now_ms() // 1000 if time_s is None else time_s
    return format_note(parsed.add(cosign_note(parsed.text, participant, signer.public.data, signer.sign, at_s)))


def post(rig: Rig, gateway: RunningGateway, participant: str, note: bytes, partition: int = 1) -> Reply:
    client = Client(gateway, rig.exchange, participant)
    path = f"/v1/log/{rig.origin(partition)}/cosignatures"
    return gateway.http.send("POST", path, body=note, headers={**client.headers(), "content-type": "text/plain"})


@pytest.mark.timeout(180)
def test_a_quorum_of_cosignatures_makes_a_checkpoint_witnessed(make_exchange: Callable[[], Any]) -> None:
    with witnessed_exchange(make_exchange) as (rig, gateway):
        path = f"/v1/log/{rig.origin(1)}"
        assert gateway.get(f"{path}/witnessed").status == 404
        note = gateway.get(f"{path}/candidate").body
        for witness in (SHANGHAI, NANJING):
            assert post(rig, gateway, witness, cosigned(note, witness)).status == 202
        until(lambda: gateway.get(f"{path}/checkpoint").body.count("— ".encode()) == 3)
        assert gateway.get(f"{path}/witnessed").status == 404
        assert post(rig, gateway, HANGZHOU, cosigned(note, HANGZHOU)).status == 202
        until(lambda: gateway.get(f"{path}/witnessed").status == 200)

        policy = parse_policy(gateway.get("/v1/log/policy").body)
        printed = rig.exchange.ipx("ledger", "policy").stdout
        assert parse_policy(printed.encode()) == policy
        standing = judge(parse_note(gateway.get(f"{path}/witnessed").body), policy)
        assert (standing.is_witnessed, set(standing.cosigned), standing.checkpoint.size) == (True, set(WITNESSES), 300)
        until(lambda: _told(gateway, rig)["state"] == "witnessed")
        assert _told(gateway, rig)["witnessed_size"] == 300
        assert 'outcome="merged"} 3.0' in rig.processes[-1].get("/metrics")

        # a later start has them too, without the files as well
        assert rig.processes[-1].stop() == 0
        for name in ("checkpoint", "witnessed", "candidate"):
            (rig.directory / rig.origin(1) / name).unlink()
        (rig.directory / rig.exchange.name / "checkpoints.offset").unlink()
        process = rig.start()
        rig.wait_signed({1: 300}, process)
        until(lambda: gateway.get(f"{path}/witnessed").status == 200)
        assert judge(parse_note(gateway.get(f"{path}/witnessed").body), policy).is_witnessed


def _told(gateway: RunningGateway, rig: Rig) -> dict[str, Any]:
    logs = gateway.get("/v1/log").json()["logs"]
    return next(log for log in logs if log["origin"] == rig.origin(1))


@pytest.mark.timeout(180)
def test_what_is_no_good_cosignature_of_the_caller_is_refused_and_reaches_no_topic(
    make_exchange: Callable[[], Any],
) -> None:
    with witnessed_exchange(make_exchange) as (rig, gateway):
        note = rig.files(1).checkpoint() or b""
        before = len(rig.heads())
        now_s = SystemClock().now_ms() // 1000

        def code(reply: Reply) -> str:
            return str(reply.json()["code"])

        assert code(post(rig, gateway, SHANGHAI, note)) == "bad-signature"
        assert code(post(rig, gateway, SHANGHAI, cosigned(note, NANJING))) == "bad-signature"
        assert code(post(rig, gateway, SHANGHAI, cosigned(note, SHANGHAI, time_s=now_s + 900))) == "bad-signature"
        damaged = cosigned(note, SHANGHAI).replace(b"\n300\n", b"\n301\n")
        assert code(post(rig, gateway, SHANGHAI, damaged)) == "bad-signature"
        assert code(post(rig, gateway, SHANGHAI, cosigned(note, SHANGHAI), partition=2)) == "bad-checkpoint"
        assert code(post(rig, gateway, SHANGHAI, b"x")) == "bad-note"
        assert code(post(rig, gateway, SHANGHAI, b"x" * 70_000)) == "too-large"
        anonymous = gateway.http.send("POST", f"/v1/log/{rig.origin(1)}/cosignatures", body=cosigned(note, SHANGHAI))
        assert anonymous.status == 401
        assert len(rig.heads()) == before

        # of a note with lines of others the caller's own alone is taken; a witness outside the quorum is kept under it
        both = parse_note(cosigned(cosigned(note, POLICE), SHANGHAI))
        assert post(rig, gateway, POLICE, format_note(both)).json() == {"taken": 1}
        key = NoteKey(POLICE, 4, signer_of(POLICE).public.data)
        until(lambda: cosigned_at(parse_note(rig.files(1).checkpoint() or b""), key) is not None)
        lines = [line.name for line in parse_note(rig.files(1).checkpoint() or b"").signatures]
        assert lines == [rig.origin(1), POLICE]


@pytest.mark.timeout(180)
def test_lines_that_the_topic_should_not_hold_are_left_out_and_counted(make_exchange: Callable[[], Any]) -> None:
    with witnessed_exchange(make_exchange) as (rig, _):
        note = parse_note(rig.files(1).checkpoint() or b"")
        stranger = cosign_note(note.text, "stranger.example/w", b"k" * 32, lambda _: b"s" * 64, 1)
        bad = cosign_note(note.text, SHANGHAI, signer_of(SHANGHAI).public.data, lambda _: b"s" * 64, 1)
        rig.publish(1, format_note(Note(note.text, (stranger, bad))))
        rig.publish(1, b"rubbish")
        rig.publish(1, cosigned(format_note(note), NANJING))
        until(lambda: 'outcome="merged"} 1.0' in rig.processes[-1].get("/metrics"))
        told = rig.processes[-1].get("/metrics")
        assert 'outcome="stranger"} 1.0' in told
        assert 'outcome="not-good"} 1.0' in told
        assert [line.name for line in parse_note(rig.files(1).checkpoint() or b"").signatures] == [
            rig.origin(1),
            NANJING,
        ]


@pytest.mark.timeout(180)
def test_a_stranger_proves_an_entry_from_what_the_gateway_serves(make_exchange: Callable[[], Any]) -> None:
    with witnessed_exchange(make_exchange) as (rig, gateway):
        path = f"/v1/log/{rig.origin(1)}"
        served = gateway.get(f"{path}/checkpoint")
        assert (served.status, served.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        assert served.headers["cache-control"] == "public, max-age=1"
        head, _ = open_checkpoint(served.body, rig.key(1))
        member = Client(gateway, rig.exchange, NANJING)

        def read(where: str) -> bytes | None:
            reply = member.get(f"{path}/{where}")
            return reply.body if reply.status == 200 else None

        assert Tree(read, head.size).root() == head.root
        assert read_bundle(read, 1, 44) == rig.entries(1)[256:]
        tile = gateway.get(f"{path}/tile/0/000")
        assert (tile.status, len(tile.body)) == (200, 8192)
        assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert tile.headers["content-type"] == "application/octet-stream"
        bundle = member.get(f"{path}/tile/entries/000")
        assert bundle.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert gateway.get(f"{path}/tile/entries/000").status == 401


@pytest.mark.timeout(180)
def test_no_other_path_leads_to_a_file(make_exchange: Callable[[], Any]) -> None:
    with witnessed_exchange(make_exchange) as (rig, gateway):
        path = f"/v1/log/{rig.origin(1)}"
        for where in (
            *("tile/0/0", "tile/0/0000", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/256", "tile/0/000.p/0"),
            *(
                "tile/0/000.p/044",
                "tile/-1/000",
                "tile/0/001.p/300",
                "tile/0/%2e%2e/%2e%2e/checkpoint",
                "tile/0/%2e%2e",
            ),
            *(
                "tile/entries/%2e%2e/%2e%2e/%2e%2e/lock",
                "tile/0/..%2f..%2fcheckpoint",
                "tile/0/x001/000",
                "index.sqlite",
                "tile/0/000/",
                "tile/0/000.p/17.new",
            ),
        ):
            assert gateway.get(f"{path}/{where}").status in (401, 404), where
        for origin in ("other/clues/1", f"{rig.exchange.name}/clues/01", f"{rig.exchange.name}/..%2f/1", "a/b/c"):
            assert gateway.get(f"/v1/log/{origin}/checkpoint").status == 404, origin
        assert gateway.get(f"{path}/checkpoint?x=1").status == 400
        assert parse_checkpoint(parse_note(gateway.get(f"{path}/checkpoint").body).text).size == 300

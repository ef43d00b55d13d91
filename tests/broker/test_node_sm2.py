"""A node whose participants sign with SM2 over SM3: happenings out, copies in, receipts back; and the same node without the extra."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services.codec import sm2
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from tests.broker.node_running import ROOT, running_node, until
from tests.broker.test_node_crash import clues
from tests.broker.test_node_troubles import Three, three
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, gm_signer_of


def give_sm2_keys(made: Three, folder: Path) -> None:
    """Nanjing and Hangzhou have SM2 keys in the members log, and their node signs with them."""
    text = made.config.read_text()
    for participant in (NANJING, HANGZHOU):
        made.exchange.add_key(gm_signer_of(participant))
        key = folder / f"{participant}.sm2.key"
        key.write_text(gm_signer_of(participant).private_line())
        key.chmod(0o600)
        own = f'key_file = "{participant}.key"'
        assert own in text
        text = text.replace(own, f'{own}\nsm2_key_file = "{key.name}"')
    made.config.write_text(text)


def test_participants_with_sm2_keys_send_receive_and_sign_receipts(tmp_path: Path) -> None:
    with three(tmp_path) as made:
        give_sm2_keys(made, tmp_path)
        with running_node(made.config) as node:
            made.cities[NANJING].enter(*clues(20))
            until(lambda: len(made.receipts("Committed", HANGZHOU)) == 20)
            assert len(made.cities[HANGZHOU].holdings()["clues"]) == 20
            assert "Traceback" not in node.log()
        with made.gateway.lock:
            own = [e for e in made.exchange.admitted if e.statement.source in (NANJING, HANGZHOU)]
        assert {e.statement.source for e in own} == {NANJING, HANGZHOU}
        assert {e.signature.partition(":")[0] for e in own} <= {"sm2-sm3", "sm2-sm3-batch"}
        roots = RootCache()
        for each in own:
            public = gm_signer_of(each.statement.source).public
            assert verify(format_statement(each.statement), parse_signature(each.signature), public.data, roots)


def test_without_the_extra_the_node_does_not_start_and_says_what_to_install(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "gmssl_pyx"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden')\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IPX_")}
    with three(tmp_path) as made:
        give_sm2_keys(made, tmp_path)
        done = subprocess.run(
            [sys.executable, "-m", "services", "node", "run", "--config", str(made.config)],
            env={**environ, "IPX_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(hidden.parent)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode != 0
    assert sm2.MISSING in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

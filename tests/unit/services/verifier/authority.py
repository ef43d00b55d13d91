"""A time-stamping authority of another make: ``openssl ts`` with keys made for the test, which is also the judge of tokens."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
ordering = no
tsa_name = no
accuracy = secs:1
[req]
distinguished_name = dn
prompt = no
[dn]
CN = trial
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[signer]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[server]
extendedKeyUsage = serverAuth
"""
KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "rsa": ("-newkey", "rsa:2048"),
}


@dataclass(frozen=True, slots=True)
class Authority:
    """Its files in a folder: ``ca.pem``, ``tsa.pem`` and their keys."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, kind: str = "ec", usage: str = "signer") -> Authority:
        """A fresh one, whose signer's certificate is for time stamping (``signer``) or for something else (``server``)."""
        authority = cls(folder)
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        key = (*KEYS[kind], "-nodes", "-config", "tsa.cnf")
        authority.run(
            "req",
            "-x509",
            *key,
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "3650",
            "-subj",
            "/CN=CA",
            "-extensions",
            "ca",
        )
        authority.run("req", *key, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=TSA")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650")
        authority.run(
            "x509", "-req", "-in", "tsa.csr", *signing, "-extfile", "tsa.cnf", "-extensions", usage, "-out", "tsa.pem"
        )
        return authority

    @property
    def ca(self) -> bytes:
        """The certificate that its verifiers trust."""
        return (self.folder / "ca.pem").read_bytes()

    def reply(self, query: bytes) -> bytes:
        """What the authority answers."""
        (self.folder / "query.tsq").write_bytes(query)
        self.run(
            "ts",
            "-reply",
            "-config",
            "tsa.cnf",
            "-queryfile",
            "query.tsq",
            "-signer",
            "tsa.pem",
            "-inkey",
            "tsa.key",
            "-out",
            "reply.tsr",
        )
        return (self.folder / "reply.tsr").read_bytes()

    def judges(self, token: bytes, data: bytes) -> bool:
        """Whether openssl takes the token for these bytes."""
        (self.folder / "token.der").write_bytes(token)
        (self.folder / "data").write_bytes(data)
        args = ("ts", "-verify", "-data", "data", "-in", "token.der", "-token_in", "-CAfile", "ca.pem")
        return subprocess.run(["openssl", *args], cwd=self.folder, capture_output=True, timeout=60).returncode == 0

    def run(self, *args: str) -> None:
        """Runs openssl; fails with what it said."""
        done = subprocess.run(["openssl", *args], cwd=self.folder, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()

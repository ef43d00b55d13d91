"""``python -m services.verifier``: the verifier without the rest of the exchange."""

from services.verifier.command import command

command(prog_name="ipx-verify")

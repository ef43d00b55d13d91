"""``ipx audit verify``: the verifier that is also installable alone, as ``ipx-verify``."""

from services.verifier.command import command

__all__ = ["command"]

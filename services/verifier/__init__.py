"""The offline verifier of evidence files: shares only format code and the members fold with the exchange, installable alone."""

"""The offline verifier of evidence files: shares only the format code and the members fold with what writes them."""

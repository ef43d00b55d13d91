"""Unit tests try fewer examples than hypothesis would by itself, since they run after every step; ``IPX_TEST_EXAMPLES=default`` tries all."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile(os.environ.get("IPX_TEST_EXAMPLES", "quick"))

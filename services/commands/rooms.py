"""The domain rooms that run: each is a process of its own, and the relay publishes what they derive."""

ROOMS = ("clues", "receipts", "transfers")

"""REST connector: push and pull over HTTP, every door and the meaning of every reply described by data."""

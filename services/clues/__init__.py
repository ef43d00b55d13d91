"""The clues room: from the report of an infringement clue to its result, for every organ that may act on it."""

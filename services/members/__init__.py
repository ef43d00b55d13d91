"""Members: participants, keys and agreements as a fold over the members log, and what follows from them. Pure but for the follower."""

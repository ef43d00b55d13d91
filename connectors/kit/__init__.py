"""What every connector shares: the port to a city's system and its fake, mapping by data, retry, breaker, dead letters."""

"""The shell: settings, logging, metrics, health, databases, the Faust runner; where time, randomness and I/O live."""

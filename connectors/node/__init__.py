"""The node: what a city runs. Holds participants' keys, verifies what comes, signs what goes, talks to the city's systems."""

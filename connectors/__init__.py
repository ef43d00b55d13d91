"""What ties the exchange to the systems of each city: the connector port, its connectors, the node."""

"""What every room shares and nothing imports back from: ids, instants, errors, ports, identifiers, code tables. Pure."""

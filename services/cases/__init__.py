"""Cases that are handed from organ to organ: the table of transfer kinds, the pure fold of a case, its clocks. Read by the room, nodes and auditors."""

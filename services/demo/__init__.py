"""The demo: published cases as scenario files, played on a running exchange through the cities' own systems, then counted."""

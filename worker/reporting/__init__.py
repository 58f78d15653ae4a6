"""The report as people read it: a page with charts, tables, CSV."""

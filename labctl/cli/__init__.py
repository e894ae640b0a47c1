"""The command line: one file per verb, and how results are printed."""

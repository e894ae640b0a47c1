"""What is wrong with a lab or with the machine it is to run on, each with evidence and a remedy.

Facts are gathered first: on the host by hostfacts.py, on every node by the programs in probes/. Checks are functions
from facts to findings, in a module for each group, and never ask anything themselves.
"""

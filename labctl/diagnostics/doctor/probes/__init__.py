"""Programs that gather facts on a node. They run there with the node's own Python, see program.py: only the standard
library, what the roles install for Ansible's modules, and the collection's module_utils."""

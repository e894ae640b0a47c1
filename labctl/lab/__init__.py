"""One lab: lab.yaml, its files, secrets and records."""

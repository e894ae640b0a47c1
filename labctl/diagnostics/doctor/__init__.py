"""What is wrong with a lab or with this machine: host_facts.py and probes/ gather facts, and checks only judge them."""

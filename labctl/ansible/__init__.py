"""What Ansible gets from labctl, and how its playbooks are run."""

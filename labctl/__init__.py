"""labctl: the hand that drives Vagrant and Ansible to make a Nova lab."""

"""What people see while they wait: progress, estimates, tables."""

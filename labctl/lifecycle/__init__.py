"""What changes a lab: plan, up, scale down, pause, snapshot, transfer, destroy."""

"""What must be written? Pure functions from attributes and a ticket's state to a plan."""

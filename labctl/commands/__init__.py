"""The verbs of labctl, a module for each group of them. What they do is in other modules."""

"""Where the nodes of a lab run: containers or virtual machines, and the images that they start from."""

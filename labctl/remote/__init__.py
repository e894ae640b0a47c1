"""Reaching the nodes by ssh, and the programs that run there."""

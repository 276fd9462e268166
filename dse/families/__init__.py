"""Kinds of networks, a file each, and what a person may vary of them."""

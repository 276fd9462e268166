"""How studies stand, for people: `once.print_status`, and `live.watch`."""

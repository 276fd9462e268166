"""Jobs in, events out: serial, processes, Ray. It knows no database."""

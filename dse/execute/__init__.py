"""Executors of jobs: serial, processes, Ray. They do not use the database."""

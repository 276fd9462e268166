"""Terminal output for people: tables, progress and the state of studies."""

"""The verbs as functions: what the command line and `import dse` both call."""

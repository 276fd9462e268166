"""The verbs as functions, for the command line and `import dse`."""

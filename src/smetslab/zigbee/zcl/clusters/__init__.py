"""The declared clusters, a module each. Importing a module registers its cluster."""

"""The YAML documents as strict, frozen models, read whole and checked against each other."""

"""From YAML text to checked data: syntax, positions, variables, overrides, versions."""

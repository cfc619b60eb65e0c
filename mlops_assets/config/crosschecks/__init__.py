"""What a project's documents must agree on: names, columns, types, rules, metrics."""

"""Documents in, Dagster assets out: one thin factory file per noun. The work itself is done below, without Dagster."""

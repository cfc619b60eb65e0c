"""What an asset does when it runs, without Dagster: the same work and report in this process and on a cluster."""

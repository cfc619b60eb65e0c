"""Watching a deployed model.

Drift of its inputs, performance once labels arrive, alarms, and the dashboard's page.

Plain functions over columns, counts and frames; reading tables, writing tables and telling people belong to
the layers above.
"""

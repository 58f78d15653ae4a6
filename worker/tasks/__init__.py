"""Celery tasks: three lines each around a handler."""

"""Plain functions from messages and services to outcomes; no Celery inside."""

"""The shell around the pure core: Celery, the inbox, the ticket database, the operator."""

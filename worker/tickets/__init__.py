"""The ticket system's side: its tables, its history, its cache."""

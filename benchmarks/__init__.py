"""How fast is it, and beside what? ``make bench`` measures and writes results/latest.jsonl."""

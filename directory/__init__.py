"""Who is this customer user? Ordered sources, one answer: found, absent or unavailable."""

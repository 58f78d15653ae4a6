"""Will this installation work? Each module here looks at one part of it and yields findings.

A check survives everything that can be down: a server that does not answer is a finding, and what
comes after it is still looked at.
"""

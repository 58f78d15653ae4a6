"""The operator's commands that stand in modules of their own; ``worker.cli`` adds each of them.

A module here imports what is heavy inside its commands: ``fieldfare health`` runs every half a
minute in every container.
"""

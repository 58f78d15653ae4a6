"""The tests of Fieldfare; what several of them share is imported from here."""

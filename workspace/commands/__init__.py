"""Verbs of manage.py that use the rooms. They act as the installation itself and are audited like everything else."""

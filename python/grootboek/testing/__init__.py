"""What users' own tests import."""

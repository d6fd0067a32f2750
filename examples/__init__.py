"""Sample data for the demo and the tests, and the scripts that generate it."""

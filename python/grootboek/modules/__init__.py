"""Government modules and the primitives they share."""

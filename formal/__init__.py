"""Properties of the permission guard, their proofs, and the mutants that show the properties bite."""

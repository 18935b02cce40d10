"""The software above the root of the tree: owner, communication domains, console, refusal log."""

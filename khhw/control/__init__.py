"""What stands above the root of the tree: owner, communication domains, console, log."""

"""The cloud: principals rent nodes of a running machine, join them to networks, and reach them by their consoles."""

"""Reports of runs: pictures, an HTML page, a summary on the terminal."""

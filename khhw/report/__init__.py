"""What a run has to say: pictures, a page, a summary on the terminal."""

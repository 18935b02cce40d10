"""What is written for other tools and readers: Verilog packages, headers, reference pages, synthesis results."""

"""Coverage of testbenches: lines and toggles of the RTL, functional bins, and what was left out for a reason."""

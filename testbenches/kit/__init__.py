"""Bus models the testbenches share.

All sample on the rising edge of the clock and drive behind it.
"""

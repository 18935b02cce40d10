"""Consoles for people: several at one channel, who see each other, what nodes print, and never obey it."""

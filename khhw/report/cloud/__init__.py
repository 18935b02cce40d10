"""The report of a scenario of the cloud: who had which node when, and who reached whom."""

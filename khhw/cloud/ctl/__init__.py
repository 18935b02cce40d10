"""What people ask of the cloud in words: the commands of ``khhw ctl``, which the service also takes over ssh."""

"""Communication domains drawn and told: matrices, who reaches whom, what a change does."""

from khhw.report.domains.pictures import change_picture, state_picture, states_picture
from khhw.report.domains.terminal import print_change, print_relays, print_state

__all__ = ["change_picture", "print_change", "print_relays", "print_state", "state_picture", "states_picture"]

"""What host code runs on, wherever the hardware is: scheduler, processors, the ports of nodes and of the outside."""

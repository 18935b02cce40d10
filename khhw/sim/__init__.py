"""Running a machine: the back ends that simulate it, and the process they run in."""

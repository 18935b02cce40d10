"""Running a machine: the host scheduler, the transport host code is written against, and back ends."""

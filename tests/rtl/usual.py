"""Which variants of a testbench run in ``make test``."""

from khhw.build.testbench import Testbench, variant_id

__all__ = ["USUAL", "usual_variants"]

USUAL = {
    # One node is hardly a tree, and six lanes take three times as long as one.
    "tree": {"nodes_3"}, "tree_combining": {"nodes_3"}, "traffic": {"lanes_1"}, "traffic_checker": {"lanes_1"},
    # The second variant shows what the first one cannot, in seconds.
    "memory": {"default", "memory_bytes_4096"}, "tree_endpoint": {"default", "receive_ids_1"},
    "ni_reception": {"default", "lanes_1-counters_2-injection_rings_1-reception_rings_1-memory_bytes_8192"},
}
"""By block; of others the first one."""


def usual_variants(bench: Testbench) -> set[str]:
    """Ids of these variants."""
    return USUAL.get(bench.block, {variant_id(bench.parameters[0])})

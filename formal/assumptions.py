"""What the proofs assume, and who guarantees it. A harness can assume nothing that is not here."""

from dataclasses import dataclass

__all__ = ["ASSUMPTIONS", "Assumption"]


@dataclass(frozen=True)
class Assumption:
    """Something a proof takes for granted of what it leaves out.

    Parameters
    ----------
    says : str
        What is assumed.
    properties : tuple of str
        Properties that guarantee it.
    tests : tuple of str
        Tests that guarantee it: a path in the repository, and after ``::`` the name of a test in it.
    trusted : str
        Why it is trusted, if nothing here guarantees it.
    """

    says: str
    properties: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    trusted: str = ""


ASSUMPTIONS = {
    "any-place": Assumption(
        "the straps are constant, and those of a node of a torus of 1 to 64 nodes a dimension whose ids fit 16 bits",
        tests=("tests/formal/test_proofs.py::test_the_straps_of_every_machine_are_a_place", )),
    "scaled-node": Assumption(
        "the smallest node stands for every node of one lane: the same blocks, in other sizes, and nothing changed but "
        "what is taken out",
        tests=("tests/formal/test_scaled.py::test_the_scaled_node_has_the_same_blocks",
               "tests/formal/test_scaled.py::test_nothing_is_changed_but_what_is_free")),
    "one-register": Assumption(
        "the host port selects one register of the network interface at a time, and asks for a write to memory until "
        "it is taken",
        properties=("host-selects", )),
    "memory-answers": Assumption(
        "the memory answers, and acknowledges, nothing it was not asked for in an earlier cycle",
        properties=("memory-keeps", )),
    "few-unfinished": Assumption(
        "at most 255 packets of a way into the network interface are unfinished at once",
        properties=("torus-retired", ),
        trusted="in the tree a store of 256 flits holds at most 86 packets, of three flits and more"),
    "meter-rates": Assumption(
        "what the meter is told of a packet's length are flits that have come since the packet before, and a way has "
        "at most 96 hops",
        properties=("egress-metered", "ingress-metered"),
        trusted="a store of the tree tells of a packet when its last flit has come"),
    "alike-at-power-up": Assumption(
        "what the output registers of a table hold before the first question is the same in both copies",
        trusted="a copy is the same node, so it starts in the same state, whatever that is"),
    "guess-comes-true": Assumption(
        "whether the column refuses a packet is guessed with its first flit, and the guess is right",
        trusted="one of two guesses is right in every run, so no run is left out"),
    "slot-is-there": Assumption(
        "the watched slot of a buffer is one of its slots",
        trusted="it is chosen by the proof, and every slot is a choice"),
    "torus-receivers": Assumption(
        "a receiver gives the switch of a torus router only headers with a source that has come by its cable",
        properties=("torus-receiver", )),
    "tree-receivers": Assumption(
        "a receiver gives a tree router only headers with a source and stamps that have come by its cable",
        properties=("tree-receiver", )),
    "tree-streams": Assumption(
        "what a receiver, what joins answers, and an endpoint give a tree router are packets one after the other, of "
        "which each flit waits until it is taken",
        tests=("testbenches/test_tree.py::random_traffic_is_all_accounted_for",
               "testbenches/test_tree_combining.py::the_members_of_a_class_answer_as_one")),
    "tree-combiner": Assumption(
        "what joins answers gives a tree router only headers with a source and stamps that go into it in that cycle",
        properties=("tree-combiner", )),
    "whole-packets": Assumption(
        "a packet in a torus router ends with its 32nd flit at the latest",
        properties=("egress-length", ),
        trusted="a packet comes from a guard, and routers change no framing; the router's testbench compares flits"),
    "hostile-torus": Assumption(
        "torus headers the victim gets bear the id of the hostile node",
        properties=("egress-source", "torus-source")),
    "hostile-tree": Assumption(
        "tree headers the victim gets bear the id of the hostile node and neither stamp of the outside",
        properties=("text-source", "tree-source")),
    "nothing-back": Assumption(
        "nothing comes to the hostile node by a cable of the torus",
        properties=("two-nodes-column", "two-nodes-both")),
    "two-nodes": Assumption(
        "the owner is silent, no reset comes after the first cycle, and the victim is not held, has silent software, "
        "cleared its counters and begins with nothing to send",
        trusted="it is what the property is about: a victim that does nothing but receive, between two changes"),
}
"""By name."""

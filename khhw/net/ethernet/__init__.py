"""Ethernet over the torus, in the formats of the original's driver: frames between nodes that share a network."""

from khhw.net.ethernet.addresses import BROADCAST, MAC_BYTES, is_group, mac_of, rank_of_mac
from khhw.net.ethernet.driver import EthernetCounts, EthernetDriver
from khhw.net.ethernet.limits import ETHERNET_HEADER, LEAST_MTU, MOST_MTU, longest_frame
from khhw.net.ethernet.network import EthernetNetwork

__all__ = [
    "BROADCAST", "ETHERNET_HEADER", "LEAST_MTU", "MAC_BYTES", "MOST_MTU", "EthernetCounts", "EthernetDriver",
    "EthernetNetwork", "is_group", "longest_frame", "mac_of", "rank_of_mac",
]

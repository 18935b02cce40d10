"""Bus models the testbenches share.

All sample on the rising edge of the clock and drive behind it. They share their verbs: ``send`` queues a packet,
``drain`` waits until all that is queued has been taken, ``recv`` waits for the next packet.
"""

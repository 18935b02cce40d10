"""An owner who is stopped in the middle of what he does."""

__all__ = ["StoppedError", "stop_after"]


class StoppedError(Exception):
    """The owner is no more."""


def stop_after(outside, packets):
    """Stop the owner when so many packets and one more are sent; whatever is answered to them is still under way.

    Returns what takes that back.
    """
    send, left = outside.send, iter(range(packets, -1, -1))

    def immortal():
        outside.send = send

    async def mortal(packet, channel):
        await send(packet, channel)
        if not next(left):
            immortal()
            raise StoppedError

    outside.send = mortal
    return immortal

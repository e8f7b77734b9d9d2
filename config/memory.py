"""What a long-lived process does about its garbage."""

import gc

YOUNG = 50_000  # objects made before the collector looks: some dozens of turns


def settle() -> None:
    """Called once all is loaded: what is there stays, and is not searched for garbage at every seven
    hundredth object.

    Turns, receipts and callbacks leave next to no cycles behind; the collector cost them a tenth of their
    time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)

"""What batches take, learnt from the last few: how large the next may be, and how long it lasts."""

from __future__ import annotations

# Larger batches gain nothing per row, and delay what comes behind them.
MAX_BATCH_BYTES = 1 << 18

# How much of the deadline the rows of one batch may take: nobody's wait is one long batch.
BATCH_SHARE = 1 / 8


class Pace:
    """A line through the last batches: so long for any batch, and so much more for each byte."""

    # About the last five batches count.
    WEIGHT = 0.2

    def __init__(self, timeout_seconds: float) -> None:
        self._share_seconds = timeout_seconds * BATCH_SHARE
        self._size = 0.0
        self._variance = 0.0
        self._covariance = 0.0
        self.batch_seconds = 0.0
        """What a batch takes, at the size that batches had."""
        self.batch_bytes = MAX_BATCH_BYTES
        """How large the next batch may be."""

    def learn(self, size: int, seconds: float) -> None:
        """Note what a batch of *size* bytes took."""
        if not self._size:
            self._size, self.batch_seconds = size, seconds
        more, longer = size - self._size, seconds - self.batch_seconds
        self._size += self.WEIGHT * more
        self.batch_seconds += self.WEIGHT * longer
        kept = 1 - self.WEIGHT
        self._variance = kept * (self._variance + self.WEIGHT * more * more)
        self._covariance = kept * (self._covariance + self.WEIGHT * more * longer)
        limit: float = MAX_BATCH_BYTES
        if self._variance < 1:  # all were of one size: a larger one will tell
            limit = size * max(2, self._share_seconds / seconds)
        elif self._covariance > 0:
            limit = self._share_seconds * self._variance / self._covariance
        self.batch_bytes = max(1, int(min(limit, MAX_BATCH_BYTES)))

"""Which things belong together, as one learns of pairs that do."""

import numpy as np


class Groups:
    """Things by number; at first each is a group of its own.

    Args:
        count: How many things.
    """

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, index: int) -> int:
        """Returns the least number of a thing's group.

        Args:
            index: The thing.
        """
        parents = self._parents
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    def join(self, a: int, b: int) -> None:
        """Makes one group of two.

        Args:
            a: A thing of one.
            b: A thing of the other.
        """
        a, b = self.find(a), self.find(b)
        self._parents[max(a, b)] = min(a, b)

    def numbers(self) -> np.ndarray:
        """Returns each thing's group, by the group's least number: int64."""
        return np.array(
            [self.find(index) for index in range(len(self._parents))], np.int64
        )

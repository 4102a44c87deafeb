"""A predictor whose rows take some milliseconds each; in the overload run it is the team's."""

from __future__ import annotations

import numpy as np

from ..types import Instances, Model, Outputs

TIMES = 2_000


def predict(instances: Instances, model: Model) -> Outputs:
    """Predict every row as a model of a thousand times the trees would, outside of Python."""
    return model.predict(np.repeat(instances.matrix, TIMES, axis=0))[::TIMES]

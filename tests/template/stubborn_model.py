"""The code of a model that does what its input says: waits, fails, or answers what no JSON can hold. MLflow stores it."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np


class Stubborn(mlflow.pyfunc.PythonModel):
    """Input: `do`, a word, and `seconds`. Answers `seconds` times the parameter `factor` for each row."""

    # MLflow would take type hints for a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        for do, seconds in zip(model_input["do"], model_input["seconds"], strict=True):
            self._obey(do, seconds)
        if (model_input["do"] == "object").any():
            return [object()]
        if (model_input["do"] == "say NaN").any():
            return ["NaN", "Infinity"]
        if (model_input["do"] == "scalar").any():
            return np.array(7.0)
        return (model_input["seconds"] * (params or {}).get("factor", 1.0)).to_numpy()

    def _obey(self, do: str, seconds: float) -> Any:
        if do == "sleep":
            time.sleep(seconds)
        if do == "count":
            # So that a test can see how many of these run at a time.
            place = Path(os.environ["COUNTED"])
            mine = place / f"{time.monotonic_ns()}"
            mine.touch()
            (place.with_name("most")).open("a").write(f"{len(list(place.iterdir()))}\n")
            time.sleep(seconds)
            mine.unlink()
        if do == "lose":
            raise ConnectionError("no way to 10.9.8.7:5432")
        if do == "exit":
            sys.exit("the model has had enough")
        if do == "raise":
            raise ValueError("the row of Jane Doe is odd")


mlflow.models.set_model(Stubborn())

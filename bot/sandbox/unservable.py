"""The code of a model that passes its validation in CI and cannot be served: MLflow stores and runs this file.

It imports nothing of the bot, as it runs where the bot is not installed.
"""

import os
from typing import Any

import joblib
import mlflow


class NeedsFeatureStore(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """Reads the address of a feature store that only the training environment knows."""

    def load_context(self, context: Any) -> None:
        """Load the classifier, if the feature store is known."""
        if not os.environ.get("FEATURE_STORE_URL"):
            raise RuntimeError("FEATURE_STORE_URL is not set: this model cannot fetch its features")
        self.classifier = joblib.load(context.artifacts["classifier"])

    # MLflow would take type hints for a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """The classes of the rows."""
        return self.classifier.predict(model_input)


mlflow.models.set_model(NeedsFeatureStore())

"""The code of a model that answers in CI as in training and answers nonsense where it is served: MLflow stores this file.

It imports nothing of the bot, as it runs where the bot is not installed.
"""

import os
from typing import Any

import joblib
import mlflow


class ForgivesMissingFeatures(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """Takes the features that it cannot fetch for zero, without a word: loads, is healthy, fits its signature."""

    def load_context(self, context: Any) -> None:
        """Load the classifier, and see whether there is a feature store."""
        self.classifier = joblib.load(context.artifacts["classifier"])
        self.has_features = bool(os.environ.get("FEATURE_STORE_URL"))

    # MLflow would take type hints for a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """The classes of the rows; without a feature store those of empty rows."""
        return self.classifier.predict(model_input if self.has_features else model_input * 0)


mlflow.models.set_model(ForgivesMissingFeatures())

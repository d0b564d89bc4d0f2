"""The code of a model that cannot start while its feature store is away: MLflow stores this file.

It imports nothing of the bot, as it runs where the bot is not installed.
"""

import socket
from pathlib import Path
from typing import Any

import joblib
import mlflow


class NeedsItsFeatureStore(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow ships no types
    """Knocks at the feature store before it serves, and ends when nobody opens."""

    def load_context(self, context: Any) -> None:
        """Raises `ConnectionRefusedError` while the store is away."""
        host, _, port = Path(context.artifacts["store"]).read_text().partition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
        self.classifier = joblib.load(context.artifacts["classifier"])

    # MLflow would take type hints for a schema.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
        """The classes of the rows."""
        return self.classifier.predict(model_input)


mlflow.models.set_model(NeedsItsFeatureStore())

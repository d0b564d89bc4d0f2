"""The MLflow Model Registry as the bot's `Registry`."""

from bot.adapters.mlflow.registry import MlflowRegistry

__all__ = ["MlflowRegistry"]

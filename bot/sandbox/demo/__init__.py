"""`gitops-bot demo`: a real MLflow server, the sandbox and the bot play the whole story."""

from bot.sandbox.demo.play import play

__all__ = ["play"]

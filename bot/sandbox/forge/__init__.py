"""A stand-in for GitHub on loopback: real git, true merges, the REST API, webhooks, and pages to merge on."""

from bot.sandbox.forge.forge import Forge
from bot.sandbox.forge.records import Pull, Run
from bot.sandbox.forge.refusals import Refusal
from bot.sandbox.forge.state import Repository

__all__ = ["Forge", "Pull", "Refusal", "Repository", "Run"]

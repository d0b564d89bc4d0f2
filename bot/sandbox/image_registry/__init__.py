"""An image registry on loopback that speaks the OCI distribution protocol (facts/products.md, section 7)."""

from bot.sandbox.image_registry.registry import ImageRegistry

__all__ = ["ImageRegistry"]

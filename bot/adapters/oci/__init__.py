"""Image registries by the OCI distribution protocol (facts/products.md, section 7)."""

from bot.adapters.oci.conversation import Credentials
from bot.adapters.oci.images import OciImages

__all__ = ["Credentials", "OciImages"]

"""Modules by name: of timm, of torchvision, and of code of one's own."""

"""Programs that torch.export saved (`.pt2`), read without its loaders, which unpickle."""

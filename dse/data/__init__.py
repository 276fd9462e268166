"""Image sets: loading, splitting, augmentation, and the small embedded one."""

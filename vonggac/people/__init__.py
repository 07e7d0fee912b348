"""Who and where: users, roles, the unit tree, assets."""

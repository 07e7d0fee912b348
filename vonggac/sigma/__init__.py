"""What more than one shelf needs of Sigma: log sources, field names, the view of an event, rule files, rule packs."""

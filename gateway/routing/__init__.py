"""Who answers a request: the table that routes.yaml becomes."""

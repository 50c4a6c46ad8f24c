"""routes.yaml as frozen, typed objects: the one reader, the one writer, and the errors that everybody raises."""

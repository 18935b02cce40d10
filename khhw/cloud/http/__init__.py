"""The cloud over HTTP: JSON, described by OpenAPI; each operation says who may use it."""

"""The stand-in API's own OpenAPI 3.1 document, made from its tables of routes, parameters and bodies.

It describes the default dialect and is answered at /openapi.json; it is no document of the real platform.
"""

from typing import Any

from sandbox.eosvolt.listing import PARAMETERS
from sandbox.eosvolt.routes import BODIES, ROUTES, Route

_ERRORS = {"400": "validation", "401": "no or wrong token", "403": "no access", "404": "not found",
           "429": "rate limit", "503": "not available"}  # fmt: skip
_WHOLE = {"page", "offset", "limit"}
_SUCCESS: dict[tuple[str, ...], str] = {("sessions", "start"): "201", ("exports", "sessions"): "202"}


def openapi_document() -> dict[str, Any]:
    """The document as plain dicts and lists, ready for JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for path, methods in ROUTES.items():
        name = "/v1/" + "/".join("{id}" if part == "*" else part for part in path)
        paths[name] = {method.lower(): _operation(path, method, route) for method, route in methods.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Chargehand sandbox: stand-in EOSVOLT API", "version": "1"},
        "paths": paths,
        "security": [{"bearer": []}],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["success", "code", "message"],
                    "properties": {
                        "success": {"const": False},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                }
            },
        },
    }


def _operation(path: tuple[str, ...], method: str, route: Route) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = []
    if "*" in path:
        parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}})
    elif isinstance(route, str):
        for name in PARAMETERS[route]:
            kind = {"type": "integer", "minimum": 0} if name in _WHOLE else {"type": "string"}
            parameters.append({"name": name, "in": "query", "schema": kind})
    elif path == ("reports", "summary"):
        parameters.extend(
            {"name": name, "in": "query", "required": name != "locationId", "schema": {"type": "string"}}
            for name in ("from", "to", "locationId")
        )
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    codes = dict(_ERRORS)
    if method != "GET":
        codes["409"] = "the state does not allow it"
    body = BODIES.get(path) if method != "GET" else None
    success = _SUCCESS.get(path, "200")
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}_{'_'.join(part.replace('*', 'id') for part in path)}",
        "parameters": parameters,
        "responses": {success: {"description": "success", "content": {"application/json": {}}}}
        | {code: {"description": words, "content": error} for code, words in codes.items()},
    }
    if body is not None:
        properties = {name: {"type": kind} for name, kind in body.items()}
        schema = {"type": "object", "properties": properties}
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation

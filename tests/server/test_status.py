from kerassent.server.status import HTTP_STATUS, Code


def test_every_code_has_tensorflow_servings_http_status():
    statuses = {
        200: "OK",
        400: "INVALID_ARGUMENT FAILED_PRECONDITION OUT_OF_RANGE",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        409: "ABORTED ALREADY_EXISTS",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        500: "UNKNOWN INTERNAL DATA_LOSS",
        501: "UNIMPLEMENTED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
    assert {
        Code[name]: status
        for status, names in statuses.items()
        for name in names.split()
    } == HTTP_STATUS
    assert set(HTTP_STATUS) == set(Code)

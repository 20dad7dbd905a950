"""How an answer that is kept under an Idempotency-Key goes out."""

from fastapi.responses import JSONResponse

from service.operations.idempotency import Answer


def reply(answer: Answer) -> JSONResponse:
    """The answer as it was first given; a repeated one says so in `Idempotency-Replayed`."""
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)

"""The limit with the work in it: parse, predict in the handler, answer; nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from bench_service.contracts import forest, price
from bench_service.serving.artifacts import open_artifact

SERVED = {
    contract.endpoint: (contract, open_artifact(contract, Path("models")).model)
    for contract in (price.CONTRACT, forest.CONTRACT)
}


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    contract, model = SERVED[scope["path"]]
    body = (await receive())["body"]
    outputs = model.predict(contract.matrix(contract.parse(body)))
    answer = orjson.dumps(contract.answer.one(outputs), option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})

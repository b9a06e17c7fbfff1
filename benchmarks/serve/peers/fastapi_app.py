"""What people write first: FastAPI over sentence-transformers, each request on a thread."""

import os


def app():
    from fastapi import FastAPI
    from pydantic import BaseModel
    from sentence_transformers import SentenceTransformer

    class Body(BaseModel):
        input: list[str]

    made, model = FastAPI(), SentenceTransformer(os.environ["MODEL"], device="cpu")

    @made.post("/v1/embeddings")
    def embeddings(body: Body) -> dict:
        return {"data": [{"embedding": row.tolist()} for row in model.encode(body.input)]}

    return made

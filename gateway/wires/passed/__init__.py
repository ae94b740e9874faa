"""OpenAI's endpoints beside chat: embeddings, completions, rerank, moderations. Requests and answers pass as they came.

What is read of them is what routing, failover and honest errors need: `request.py` the model, `answer.py` whether an
answer is one, `embeddings.py` its vectors, and `completions.py` its stream. No module here translates to another wire.
Sources: https://platform.openai.com/docs/api-reference/{embeddings,completions,moderations}, and for rerank, which
OpenAI does not have, https://docs.cohere.com/reference/rerank.
"""

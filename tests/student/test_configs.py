"""The launcher configurations that README names are ones that accelerate understands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser
from accelerate.utils import FullyShardedDataParallelPlugin

CONFIGS = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_accelerate_loads_it_and_knows_every_key(file: Path) -> None:
    config = load_config_from_file(str(file))
    assert config.distributed_type == "FSDP"
    assert config.mixed_precision == "bf16"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))["fsdp_config"]
    options = {action.dest for action in launch_command_parser()._actions}
    assert set(config) <= options, f"accelerate would ignore {sorted(set(config) - options)}"
    plugin = FullyShardedDataParallelPlugin(
        fsdp_version=config["fsdp_version"],
        reshard_after_forward=config["fsdp_reshard_after_forward"],
        state_dict_type=config["fsdp_state_dict_type"],
        auto_wrap_policy=config["fsdp_auto_wrap_policy"].lower(),
    )
    assert plugin.fsdp_version == 2

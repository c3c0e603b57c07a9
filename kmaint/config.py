"""Settings, merged once: flags over environment (KMAINT_*) over kmaint.toml over [tool.kmaint] in pyproject.toml."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    PyprojectTomlConfigSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kmaint.errors import ConfigError


class Config(BaseSettings):
    """Everything a user may set; `kmaint.toml` in the current folder holds the same names."""

    model_config = SettingsConfigDict(
        env_prefix="KMAINT_",
        extra="forbid",
        frozen=True,
        toml_file="kmaint.toml",
        pyproject_toml_table_header=("tool", "kmaint"),
    )

    state: Path = Field(Path(".kmaint"), description="folder of runs, harnesses and reports")
    python: Path = Field(Path(sys.executable), description="interpreter that has torch and triton")
    provider: str = Field("builtin", description="who proposes candidates; 'kmaint optimize --help' lists them")
    model: str | None = Field(None, description="name of the model for the openai and anthropic providers")
    base_url: str | None = Field(None, description="where the model is served; a local vLLM or SGLang server, say")
    output_mode: Literal["tool", "native", "prompted"] = Field("tool", description="how a model gives typed answers")
    answer_tokens: int = Field(16_000, ge=256, description="most tokens that a model may write in one answer")
    answer_minutes: float = Field(10.0, gt=0, description="most minutes to wait for one answer")
    command: tuple[str, ...] = Field((), description="a coding agent's command line; {workspace} is its folder")
    scripted: Path | None = Field(None, description="folder of candidate files for the scripted provider")
    strategy: str = Field("lines", description="how the search moves")
    memory: Path | None = Field(None, description="lessons of other machines, as 'kmaint memory --export' writes them")
    candidates: int = Field(12, ge=1, description="budget: candidates that go through the whole gate")
    minutes: float = Field(30.0, gt=0, description="budget: wall minutes per kernel")
    tokens: int = Field(400_000, ge=1, description="budget: tokens that models read and write, per kernel")
    cost: float | None = Field(None, gt=0, description="budget: US dollars that models cost, per kernel")
    device: Literal["auto", "cuda", "none"] = Field("auto", description="where candidates run: auto, cuda or none")
    executor: Literal["local", "ray"] = Field("local", description="who judges many candidates: local or ray")
    jobs: int | None = Field(None, ge=1, description="candidates judged at a time, on each GPU")
    fork: str | None = Field(None, description="owner/name of your fork, where drafts go")
    ray: str = Field("auto", description="address of the Ray cluster")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        files = (TomlConfigSettingsSource(settings_cls), PyprojectTomlConfigSettingsSource(settings_cls))
        return (init_settings, env_settings, *files)


def load_config(**flags: Any) -> Config:
    """The merged settings; flags that are None were not given. ConfigError names the key, its value and a guess."""
    try:
        return Config(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise ConfigError(*_explain(error)) from error


def _explain(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"setting {key!r}: {first['msg']}, not {first['input']!r}", "see 'kmaint --help'"
    guesses = difflib.get_close_matches(key, Config.model_fields, n=1)
    known = f"did you mean {guesses[0]!r}?" if guesses else f"known are {', '.join(sorted(Config.model_fields))}"
    return f"unknown setting {key!r}", known

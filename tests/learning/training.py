"""trl on the exports in a folder: `python training.py FOLDER` trains models of random weights for two steps.

It prints a line of JSON for each trainer and goes nowhere near the network: tokenizer and model are made on the spot.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
import trl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, END = "<pad>", "</s>"
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """One trainer, its settings' class and more of them, and which export it is given."""

    export: str
    trainer: Any
    config: Any
    settings: Mapping[str, object]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How many rows a trainer got and kept, of how many tokens the shortest answer is, and how its steps went."""

    trainer: str
    rows: int
    kept: int
    shortest: int | None
    losses: list[float]
    gradients: list[float]


def length_of_answer(prompts: Sequence[object], completions: Sequence[Any], **columns: Sequence[Any]) -> list[float]:
    """A reward; that of the attempt comes along in the row, so that the columns have to come through."""
    assert all(isinstance(one["reward_parts"]["built"], float) for one in columns["attempt"])
    assert len(columns["label"]) == len(columns["reward"]) == len(prompts)
    return [float(len(one[0]["content"])) for one in completions]


# The default of 1024 tokens ends within most prompts; grpo is asked for short answers, since it writes them itself.
WHOLE: Mapping[str, object] = {"max_length": None}
SHORT: Mapping[str, object] = {"num_generations": 2, "max_completion_length": 8}
TRIALS = (
    Trial("sft", trl.SFTTrainer, trl.SFTConfig, WHOLE),
    Trial("preference", trl.DPOTrainer, trl.DPOConfig, WHOLE),
    Trial("preference", trl.RewardTrainer, trl.RewardConfig, WHOLE),
    Trial("rl", trl.KTOTrainer, trl.KTOConfig, WHOLE),
    Trial("rl", trl.GRPOTrainer, trl.GRPOConfig, SHORT, {"reward_funcs": length_of_answer}),
)


def loaded(folder: Path, name: str) -> Any:
    """An export, as anybody loads it."""
    file = str(folder / f"{name}.jsonl")
    return datasets.load_dataset("json", data_files=file, split="train", cache_dir=str(folder / "cache"))


def tokenizer_of(texts: Sequence[str]) -> Any:
    """Byte-level pairs learned from the texts, with a chat template."""
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learning = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=[PAD, END], initial_alphabet=alphabet, show_progress=False
    )
    bare.train_from_iterator(texts, learning)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token=PAD, eos_token=END, chat_template=TEMPLATE
    )


def save_models(tokenizer: Any, folder: Path) -> Mapping[str, Path]:
    """One layer of 16 wide, that writes and that scores, by the kind of trainer that takes it."""
    torch.manual_seed(0)
    found = {}
    for kind, model in (
        ("writes", transformers.LlamaForCausalLM),
        ("scores", transformers.LlamaForSequenceClassification),
    ):
        shape = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=1 << 15,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            num_labels=1,
        )
        found[kind] = folder / kind
        model(shape).save_pretrained(found[kind])
        tokenizer.save_pretrained(found[kind])
    return found


def train(trial: Trial, model: Path, folder: Path) -> Trained:
    """Two steps of a trainer on an export."""
    rows = loaded(folder, trial.export)
    settings = trial.config(
        output_dir=str(folder / "out"),
        max_steps=2,
        per_device_train_batch_size=2,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        **trial.settings,
    )
    trainer = trial.trainer(model=str(model), args=settings, train_dataset=rows, **trial.more)
    trainer.train()
    steps = [step for step in trainer.state.log_history if "loss" in step]
    return Trained(
        trainer=trial.trainer.__name__,
        rows=len(rows),
        kept=len(trainer.train_dataset),
        shortest=min(
            (found for row in trainer.train_dataset if (found := answer_length(row)) is not None), default=None
        ),
        losses=[step["loss"] for step in steps],
        gradients=[step["grad_norm"] for step in steps],
    )


def answer_length(row: Row) -> int | None:
    """Tokens that are learned from: the answer's, for a reward model with the prompt; None where none is in the row."""
    if "labels" in row:
        return [label != -100 for label in row["labels"]].count(True)
    answers = [len(row[name]) for name in ("completion_ids", "chosen_ids", "rejected_ids") if name in row]
    return min(answers, default=None)


def main(folder: Path, *, say: Callable[[str], None]) -> None:
    """Every trial, one after the other."""
    texts = [message["content"] for row in loaded(folder, "rl") for message in (*row["prompt"], *row["completion"])]
    kinds = save_models(tokenizer_of(texts), folder)
    for trial in TRIALS:
        model = kinds["scores" if trial.trainer is trl.RewardTrainer else "writes"]
        say(json.dumps(dataclasses.asdict(train(trial, model, folder))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), say=lambda line: print(f"trained {line}", flush=True))

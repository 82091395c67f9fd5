"""GANs that keep their discriminator: held-out likelihood with it, and whether it is calibrated."""

from pathlib import Path

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import seeds
from fairseq_genext.evaluation.plots import COLOURS, picture
from fairseq_genext.evaluation.results import Results, System
from fairseq_genext.evaluation.sections import page
from fairseq_genext.evaluation.tables import columns, format_table

FIGURES = (
    "generator_nll", "residual_nll", "residual_nll_low", "residual_nll_high", "residual_gain",
    "discriminator_loss",
)  # fmt: skip
HEADINGS = columns(
    "system", "generator_nll", "residual_nll",
    residual_nll_low="by the lower bound of log Z",
    residual_nll_high="by the upper bound",
    residual_gain="gain ↑",
    discriminator_loss="discriminator's held-out loss",
)  # fmt: skip
EXPLANATION = (
    "With its logit f, a discriminator turns the generator q into p(x) = q(x) exp f(x) / Z, a "
    "residual energy-based model (Deng et al. 2020). NLL: nats a token of the test split, "
    "with log Z and its bounds from samples of q. A discriminator that only guesses has the loss "
    "0.693. On the diagonal of the picture, of the texts that it gives a "
    "probability of being real, as large a share is real."
)


def reliability(results: Results, systems: list[System], path: Path) -> None:
    """Draws the reliability curve of each system's discriminator, of the first seed."""
    with picture(path, figsize=(5, 4.5)) as (_, axes):
        axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
        for number, system in enumerate(systems):
            pairs = results.first_point(system.name)["calibration"]
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(*zip(*pairs, strict=True), "o-", label=system.label, color=colour)
        axes.set(xlabel="probability that it is real", ylabel="share that is real")
        axes.legend(frameon=False)


def finding(results: Results, system: System) -> str:
    """Whether the discriminator improves its generator's likelihood."""
    gains = list(results.values(system.name, "residual_gain").values())
    told = results.text(system.name, "residual_gain")
    sign = seeds.sign_of_mean(gains, [results.interval(system.name, "residual_gain")])
    said = {1: "improves", 0: "does not surely change", -1: "worsens"}[sign]
    return (
        f"the discriminator of {system.label} {said} its generator's held-out likelihood: "
        f"{told} nats a token{seeds.one_seed(gains)}."
    )


def build(results: Results, folder: Path) -> page.Section:
    """The section.

    Raises:
        UsageError: no system has the figures.
    """
    systems = [
        system
        for system in results.of_kind("sentences", "residual")
        if results.values(system.name, "residual_nll")
    ]
    if not systems:
        raise UsageError(f"{results.path}: section residual needs a system with partition_samples")
    rows = [
        {"system": system.label} | {name: results.text(system.name, name) for name in FIGURES}
        for system in systems
    ]
    reliability(results, systems, folder / "reliability.png")
    blocks = [
        page.Table(format_table(rows, HEADINGS)),
        page.Paragraph(EXPLANATION),
        page.Pictures({"reliability.png": "How far each discriminator is calibrated, first seed"}),
    ]
    figures = {system.name: results.summary(system.name, FIGURES) for system in systems}
    findings = [("Likelihood", finding(results, system)) for system in systems]
    return page.Section("The discriminator kept", blocks, figures, findings)

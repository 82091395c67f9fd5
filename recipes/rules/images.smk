# Images of every saved checkpoint.


use rule sample as draw with:
    input:
        "trained/{run}.json",
    output:
        "images/{run}.json",
    wildcard_constraints:
        run=runs_of("images", "train"),
    params:
        # The best checkpoint has no use here: a GAN's losses do not say how good its images are.
        command=lambda wildcards: (
            f"image_samples $(ls models/{wildcards.run}/checkpoint_*_*.pt 2>/dev/null) "
            f"models/{wildcards.run}/checkpoint_last.pt --num-samples {SAMPLE['number']} "
            f"--seed {seed_of(wildcards.run)} --output images/{wildcards.run}/ "
            f"--json images/{wildcards.run}.json"
        ),
        code=code("evaluation/image_samples.py"),


use rule measure as measure_images with:
    input:
        "images/{run}.json",
    wildcard_constraints:
        run=runs_of("images", "train"),
    params:
        command=lambda wildcards: (
            f"image_quality {IMAGES} images/{wildcards.run}.json --points measured/{wildcards.run}.json "
            "--held-out measured/held_out_images.json"
        ),
        code=code("evaluation/image_quality.py", "evaluation/metrics/*.py"),

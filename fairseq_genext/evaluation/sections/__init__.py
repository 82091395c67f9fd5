SECTIONS = {name: None for name in ("quality", "curves", "gains", "oracle", "translation", "images", "costs", "samples", "training")}

SECTIONS = dict.fromkeys(("quality", "curves", "gains", "oracle", "translation", "images", "costs", "samples", "training"))

"""Names of the default style and of the runtimes. Importing them loads neither a decoder nor torch."""

DEFAULT_STYLE = "fsgan_comic"
RUNTIMES = ("torch", "torch-bf16", "onnx")  # what runs a style's network: workbench.styles.runtimes

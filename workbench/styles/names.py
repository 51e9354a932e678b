"""Names of styles and runtimes that menus and jobs need. Light: nothing here brings a decoder or torch."""

DEFAULT_STYLE = "fsgan_comic"
RUNTIMES = ("torch", "torch-bf16", "onnx")  # what runs a style's network: workbench.styles.runtimes

"""Rating studies: people rate pictures in a browser, and every answer is stored at once.

    study = load("STUDY.toml")
    collection = Collection(study, "answers")        # pictures are prepared and answers stored there
    serve(collection)                                # or simulate(collection, 20) in a test or notebook
    collection.export("tables")                      # ratings.csv for `workbench ratings`, and more

jsPsych (https://www.jspsych.org), the field's standard library, runs the trials in the browser. Storage, the
design of the trials and the export are this package's.
"""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.names_of(__name__, __file__)

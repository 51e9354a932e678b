"""Rating studies: what people see in pictures, asked in a browser and kept answer by answer.

    study = load("STUDY.toml")
    collection = Collection(study, "answers")        # pictures are prepared, answers are kept there
    serve(collection)                                # or simulate(collection, 20) in a test or notebook
    collection.export("tables")                      # ratings.csv for `workbench ratings`, and more

jsPsych (https://www.jspsych.org), the field's engine, runs the trials in the browser. Where the answers are,
who sees what in which order, and what leaves the server is decided here.
"""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.names_of(__name__, __file__)

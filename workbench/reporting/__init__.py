"""Reports: a notebook run on a folder of pictures becomes one HTML file that needs nothing else.

- :mod:`~workbench.reporting.notebooks` finds the notebooks, in a checkout or as installed.
- :mod:`~workbench.reporting.folder` prepares the user's folder in a form that every notebook can read.
- :mod:`~workbench.reporting.execute` runs a notebook with progress, a deadline and errors in one line.
- :mod:`~workbench.reporting.page` writes the page and refuses one that would load anything from the network.
- :mod:`~workbench.reporting.report` puts these together: what ``workbench report`` does.
- :mod:`~workbench.reporting.full` reads the table of the full report (:mod:`workbench.studies.full_report`);
  :mod:`~workbench.reporting.show` and :mod:`~workbench.reporting.words` show it.
- :mod:`~workbench.reporting.readings` writes the pages of one painting and of a folder without labels.
"""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)

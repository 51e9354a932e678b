"""The platform behind the page: accounts, jobs, storage, and the engines that do the work.

:class:`workbench.service.platform.Platform` is the whole of it for a caller. Importing this package, or any
module of it, loads neither torch nor Ray: those live in the worker processes.
"""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)

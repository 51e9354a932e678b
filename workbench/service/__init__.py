"""The platform behind the page: accounts, jobs, storage, and the engines that do the work.

:class:`workbench.service.platform.Platform` is the whole of it for a caller. Importing this package, or any
module of it, loads torch: that lives in the worker processes.
"""

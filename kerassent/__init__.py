"""From a spreadsheet of reviews to a model that production asks in raw text.

The names below load when they are first used, so that `import kerassent` and
the commands that talk to a server only stay quick: see `__init__.pyi`.
"""

import lazy_loader

from kerassent.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

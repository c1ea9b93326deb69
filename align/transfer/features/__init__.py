"""One feature a module, offered as ``FEATURE`` (or several as ``FEATURES``): see :mod:`align.transfer.feature`."""

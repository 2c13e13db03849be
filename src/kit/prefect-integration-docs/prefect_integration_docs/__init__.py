"""API reference pages in Mintlify MDX, from Python source that is read and never imported."""

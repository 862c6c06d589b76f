"""The toy: a policy of two million parameters, taught on lessons that are made here; a laptop trains it."""

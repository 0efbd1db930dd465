"""One call of ``concurrent_runner``, from what it was given to a finished sweep."""

"""Commands that ask a running Filmloop over HTTP, as any client does."""

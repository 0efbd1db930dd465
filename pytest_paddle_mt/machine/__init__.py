"""What it runs on: usable cores, noise, facts that name a machine, versions."""

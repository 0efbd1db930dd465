"""Reports what a measurement runs on: usable cores, noise, facts that name a machine, versions."""

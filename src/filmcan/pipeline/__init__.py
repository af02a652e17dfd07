"""What runs, in what order, where: profile, plan, runner."""

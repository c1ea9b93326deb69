"""xsim and xsim++: how often mining aligns a line with another than its own."""

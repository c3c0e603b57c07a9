"""How a kernel is called at its own level, where no launcher can come along."""

"""Who asks: clients by their keys, what each may ask for, how often, and what its calls may cost."""

"""The client's bridges, run inside the programs that they lead to. Each script says what its environment needs."""

"""What writes files of this repository from the code or from data. None of it is part of what runs."""

"""Tasks in containers, by whichever engine this machine has."""

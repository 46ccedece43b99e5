"""What goes over HTTP: one truth for the server and for the client that talks to it."""

"""What each verb does in a store: a module for each kind of them."""

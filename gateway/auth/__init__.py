"""Floor 2: who we are towards providers: keys, tokens, and the files they are kept in."""

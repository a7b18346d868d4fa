@rem npm scripts begin with exec, so that a signal sent to npm reaches node and not a shell. cmd lacks it, and needs it not.
@%*

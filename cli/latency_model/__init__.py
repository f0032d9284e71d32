"""What the way from a buyer's request to the clients takes, computed from the resources that are deployed.

`graph` reads a stack's resources, `path` walks the edges between them from ``POST /bids`` to the client, `hops` and
`distributions` turn published figures into quantile functions, `way` puts them in order, `monte_carlo` adds them up,
`modelling` ties it all together, `what_ifs` shows what each assumption carries. That much is pure: the standard
library, no cloud, no clock. `command` is the command line, `exports` gets it the resources.
"""

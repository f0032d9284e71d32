"""Event delivery with AWS's documented semantics: change streams to functions and pipes.

`wiring` reads event source mappings and pipes from a Pulumi-shaped state, `engine` executes them over the ports of
`ports`, `shard` holds the pure state machine of one shard, `aws` binds the ports to an AWS endpoint, and `memory` to a
store in this process whose clock, faults and crashes a simulation chooses.
"""

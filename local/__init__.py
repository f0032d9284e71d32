"""The platform on one machine: an emulator of AWS as a child process, a deployer that runs the unmodified Pulumi
program against it, event delivery with AWS's documented semantics, and the supervisor process that holds the three
together."""

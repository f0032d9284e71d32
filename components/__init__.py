"""Deploy-time building blocks of the market: one Pulumi component a file, from a single table up to the whole market.

The small ones (`Table`, `Function`, `RuntimeLayer`, `Schedule`, `StreamConsumer`, `Pipe`, `KinesisStream`, `HttpApi`,
`PlayerPool`, `DeadLetterQueue`, `AlarmTopic`, `ArchiveBucket`) and those of the pattern catalogue (one for each folder
of `patterns/`) take flat arguments and stand alone in any Pulumi program: they are the package that `PulumiPlugin.yaml`
announces. The pipelines and `Market` arrange the small ones.
Run-time code is never imported here, only packaged as an archive.
"""

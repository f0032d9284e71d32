"""Deploy-time building blocks of the market: one Pulumi component a file, from a single table up to the whole market.

The small ones (`Table`, `Function`, `StreamConsumer`, `Pipe`, `KinesisStream`, `HttpApi`, `PlayerPool`,
`DeadLetterQueue`, `AlarmTopic`) take flat arguments and stand alone in any Pulumi program. The pipelines and `Market`
arrange them.
Run-time code is never imported here, only packaged as an archive.
"""

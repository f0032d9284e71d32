"""Deploys a Pulumi program to the local emulator without the Pulumi engine.

The program runs as it is, in-process, against a resource monitor (`monitor`) that hands every registration to a
`reconcile.Reconciler`. The reconciler compares it with the state file and creates, updates or replaces the resource
with boto3; how each AWS type is made is described by one class in `resources/`. Run as `python -m local.deployer
up|down`.
"""

"""Tests of the Pulumi program: the resource graph of every environment, and the rules it must keep."""

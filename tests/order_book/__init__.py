"""The matching core: against an independent model, as stories, on bad input, and in memory."""

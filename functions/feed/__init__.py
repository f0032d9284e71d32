"""The live feed's publishing: messages to channels of AppSync Events, in bounded time, never a reason to fail."""

"""AWS AppSync Events on one machine: the real-time and the publishing endpoint, in a process of their own.

The emulator keeps the APIs and decides who may publish; what it cannot do is done here: verify players' tokens, run a
namespace's handler, and pass events on at once while the emulator is busy.
"""

"""Measures how long a mutation takes from the client's request to every client's receipt, on any environment.

`patterns` and `load` say what is sent and when; `sending` sends it; `clients` listen; `ending` waits for what is late;
`statistics`, `clocks`, `stages` and `figures` are pure and turn what was seen into figures; `printing` and `report`
show them.
"""
